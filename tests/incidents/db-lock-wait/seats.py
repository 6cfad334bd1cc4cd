"""Seats of a cinema in an SQLite file in WAL mode: a worker begins a booking and then waits for a payment that never comes.
Other threads go on; the one that sells tickets waits for the worker's transaction.

    seats.py PATH      says `standing PID HOLDER` when the seller waits
"""
import os
import sqlite3
import sys
import threading
import time


class Seats:
    def __init__(self, path):
        self.path = path

    def open(self):
        connection = sqlite3.connect(self.path, timeout=900, isolation_level=None)
        connection.execute("pragma journal_mode=wal")
        connection.execute("create table if not exists seat (number integer, taken integer)")
        return connection

    def sell(self, number):
        connection = self.open()
        connection.execute("begin immediate")
        connection.execute("insert into seat values (?, 1)", (number,))
        connection.execute("commit")


def payment(path, ready):
    connection = Seats(path).open()
    connection.execute("begin immediate")
    connection.execute("insert into seat values (1, 1)")
    os.write(ready, b"x")
    while True:
        time.sleep(60)


def main():
    seats = Seats(sys.argv[1])
    seats.open().close()
    ready, told = os.pipe()
    worker = os.fork()
    if worker == 0:
        payment(seats.path, told)
    os.read(ready, 1)

    def sell():
        print("standing %d %d" % (os.getpid(), worker), flush=True)
        seats.sell(2)

    threading.Thread(target=sell, name="seller").start()
    while True:
        time.sleep(0.5)


if __name__ == "__main__":
    main()
