"""Switched the collector off for speed; every order is a tree whose items know their order."""
import gc
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from standing import when_grown

gc.disable()


class Order(object):
    def __init__(self, number):
        self.number = number
        self.items = []


class Item(object):
    def __init__(self, order, name):
        self.order = order
        self.name = name
        order.items.append(self)


def take(number):
    order = Order(number)
    for name in ('lamp', 'chair', 'table'):
        Item(order, '%s %d' % (name, number))
    return len(order.items)


def main():
    number = 0
    while True:
        for _ in range(4):
            number += 1
            take(number)
        time.sleep(0.005)


when_grown(1500)
main()
