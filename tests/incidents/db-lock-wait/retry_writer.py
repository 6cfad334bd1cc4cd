"""Sensor readings are written with a short timeout and tried again for ever, while a report reads with an open cursor: its
shared lock keeps the writer from its commit.

    retry_writer.py PATH      says `standing PID HOLDER` after it was refused twice
"""
import os
import sqlite3
import sys
import time


def report(path, ready):
    connection = sqlite3.connect(path)
    cursor = connection.execute("select value from reading")
    cursor.fetchone()
    os.write(ready, b"x")
    while True:
        time.sleep(30)


def store(connection, value):
    with connection:
        connection.execute("insert into reading values (?)", (value,))


def main():
    path = sys.argv[1]
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("create table reading (value text)")
        connection.executemany("insert into reading values (?)", [("x" * 2000,)] * 50)
    connection.close()
    ready, told = os.pipe()
    reporter = os.fork()
    if reporter == 0:
        report(path, told)
    os.read(ready, 1)
    connection = sqlite3.connect(path, timeout=0.2)
    refused = 0
    while True:
        try:
            store(connection, "21.5")
            return
        except sqlite3.OperationalError:
            refused += 1
            if refused == 2:
                print("standing %d %d" % (os.getpid(), reporter), flush=True)
            time.sleep(0.3)


if __name__ == "__main__":
    main()
