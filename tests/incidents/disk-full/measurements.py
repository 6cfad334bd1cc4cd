"""Stores measurements in an SQLite file; `database or disk is full` is logged, and the same batch is tried again. A deleted
file that nobody closed takes most of the room.

    measurements.py FOLDER      says `standing PID` when a batch was refused for the first time
"""
import os
import sqlite3
import sys
import time


def store(path, batch):
    connection = sqlite3.connect(path)
    try:
        with connection:
            connection.executemany("insert into measurement values (?)", batch)
    finally:
        connection.close()


def main():
    folder = sys.argv[1]
    path = os.path.join(folder, "measurements.sqlite")
    connection = sqlite3.connect(path)
    connection.execute("create table measurement (value text)")
    connection.commit()
    connection.close()
    scratch = open(os.path.join(folder, "export.tmp"), "wb", 0)
    os.unlink(scratch.name)
    space = os.statvfs(folder)
    scratch.write(b"e" * (space.f_bavail * space.f_frsize * 2 // 3))
    told = False
    while True:
        try:
            store(path, [("v" * 500,)] * 40)
        except sqlite3.OperationalError:
            if not told:
                told = True
                print("standing %d" % os.getpid(), flush=True)
        if told:
            time.sleep(0.4)


if __name__ == "__main__":
    main()
