"""Reads many rows as small objects, keeps one of a hundred and fifty for its index, and drops the rest."""
import os
import threading


class Row:
    __slots__ = ('key', 'name', 'span')

    def __init__(self, number):
        self.key = number * 1000003
        self.name = str(number)
        self.span = (number, number)


rows = [Row(number) for number in range(600000)]
index = rows[::150]
del rows
print('standing %d' % os.getpid(), flush=True)
threading.Event().wait()
