"""Three writers that share one SQLite file; each transaction is short, and all get their turn.

    healthy_journal.py PATH      says `standing PID` when each has written ten entries
"""
import os
import sqlite3
import sys
import time


def write(path, ready):
    connection = sqlite3.connect(path, timeout=30)
    turns = 0
    while True:
        with connection:
            connection.execute("insert into entry values (?, ?)", (os.getpid(), turns))
        turns += 1
        if turns == 10:
            os.write(ready, b"x")
        time.sleep(0.01)


def main():
    path = sys.argv[1]
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("create table entry (writer integer, turn integer)")
    connection.close()
    ready, told = os.pipe()
    writers = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            write(path, told)
        writers.append(pid)
    for _ in writers:
        os.read(ready, 1)
    print("standing %d" % writers[0], flush=True)
    os.waitpid(writers[0], 0)


if __name__ == "__main__":
    main()
