"""For Python 2: forms and their fields refer to each other and have a __del__, so they end up in gc.garbage."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from standing import when_grown


class Form(object):
    def __init__(self, number):
        self.number = number
        self.fields = [Field(self, name) for name in ('name', 'street', 'town')]

    def __del__(self):
        self.fields = None


class Field(object):
    def __init__(self, form, name):
        self.form = form
        self.name = name
        self.value = 'value of %s %d' % (name, form.number)


def main():
    number = 0
    while True:
        for _ in range(4):
            number += 1
            Form(number)
        time.sleep(0.005)


when_grown(1500)
main()
