"""Two programs with one SQLite file: one keeps a transaction open, the other waits to write.

    ledger.py audit FILE     keeps an exclusive transaction open; events: `auditing` (pid)
    ledger.py book FILE      wants to write; events: `booking` (pid)
"""
import json
import os
import sqlite3
import sys
import time


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


def audit(path):
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("create table if not exists entry (amount integer)")
    database.execute("begin exclusive")
    tell("auditing", pid=os.getpid())
    while True:
        time.sleep(1)


def book(path):
    database = sqlite3.connect(path, timeout=600, isolation_level=None)
    tell("booking", pid=os.getpid())
    database.execute("insert into entry values (1)")


if __name__ == "__main__":
    (audit if sys.argv[1] == "audit" else book)(sys.argv[2])
