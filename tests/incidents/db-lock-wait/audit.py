"""A ledger in one SQLite file, without WAL: an audit keeps an exclusive transaction open while a booking waits to be written.

    audit.py PATH      says `standing PID HOLDER` when the booking waits
"""
import os
import sqlite3
import sys
import time


def audit(path, ready):
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("begin exclusive")
    os.write(ready, b"x")
    while True:
        time.sleep(1)


def book(path, amount):
    database = sqlite3.connect(path, timeout=600, isolation_level=None)
    database.execute("insert into entry values (?)", (amount,))


def main():
    path = sys.argv[1]
    database = sqlite3.connect(path)
    database.execute("create table if not exists entry (amount integer)")
    database.commit()
    database.close()
    ready, told = os.pipe()
    auditor = os.fork()
    if auditor == 0:
        audit(path, told)
    os.read(ready, 1)
    print("standing %d %d" % (os.getpid(), auditor), flush=True)
    book(path, 7)


if __name__ == "__main__":
    main()
