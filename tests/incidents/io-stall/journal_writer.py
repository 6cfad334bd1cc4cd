"""A service that appends to a journal in a thread of its own; requests go on meanwhile.

    journal_writer.py FOLDER     says `standing PID` when it is ready; after a line on standard input the journal is written to
"""
import os
import queue
import sys
import threading
import time

entries = queue.Queue()


def keep_journal(folder):
    with open(os.path.join(folder, "journal"), "ab", buffering=0) as journal:
        print("standing %d" % os.getpid(), flush=True)
        while True:
            journal.write(entries.get())


def main():
    threading.Thread(target=keep_journal, args=(sys.argv[1],), name="journal").start()
    sys.stdin.readline()
    while True:
        entries.put(b"request served\n")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
