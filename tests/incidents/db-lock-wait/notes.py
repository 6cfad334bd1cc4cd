"""Notes in an SQLite file: one connection of the process begins to write and is forgotten; a thread wants to write by another.

    notes.py PATH      says `standing PID PID` when the thread waits
"""
import os
import sqlite3
import sys
import threading


class Notes:
    def __init__(self, path):
        self.path = path
        self.draft = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.draft.execute("create table note (text text)")

    def begin(self, text):
        self.draft.execute("begin immediate")
        self.draft.execute("insert into note values (?)", (text,))

    def save(self, text):
        connection = sqlite3.connect(self.path, timeout=900)
        with connection:
            connection.execute("insert into note values (?)", (text,))


def main():
    notes = Notes(sys.argv[1])
    notes.begin("unfinished")
    saver = threading.Thread(target=notes.save, args=("later",), name="saver")
    saver.start()
    print("standing %d %d" % (os.getpid(), os.getpid()), flush=True)
    saver.join()


if __name__ == "__main__":
    main()
