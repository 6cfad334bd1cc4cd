"""Imports a module that takes long to compute its tables; another thread waits for the same import, which goes on."""
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def second():
    import slow_tables
    return slow_tables


def first():
    import slow_tables
    return slow_tables


def main():
    threading.Thread(target=first, name='first').start()
    other = threading.Thread(target=second, name='second')
    other.start()
    standing.when_inside('second', other.ident, 0.5)


main()
