"""Builds and frees objects all the time in several threads, with pools that come and go; says so and goes on."""
import sys
import threading


class Cell(object):
    def __init__(self, number):
        self.number = number
        self.next = None


def churn():
    while True:
        kept = {}
        for number in range(20000):
            cell = Cell(number)
            cell.next = (cell, [number], {'n': number})
            kept[str(number)] = cell
            if number % 7 == 0:
                kept.pop(str(number // 2), None)


STEADY = [Cell(number) for number in range(10000)]
for _ in range(3):
    thread = threading.Thread(target=churn)
    thread.daemon = True
    thread.start()
print('standing')
sys.stdout.flush()
sys.stdin.readline()
