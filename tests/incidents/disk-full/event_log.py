"""A collector whose log handler writes to a file system that has no room any more; errors are counted and forgotten.

    event_log.py FOLDER      fills its folder, says `standing PID` when it was refused for the first time, and goes on trying
"""
import os
import sys
import threading
import time


class EventLog:
    def __init__(self, folder):
        self.file = open(os.path.join(folder, "events.log"), "ab", buffering=0)
        self.refused = 0

    def append(self, event):
        self.file.write(event)


def collect(log):
    pause = 0
    while True:
        try:
            log.append(b"temperature=21.5 humidity=40\n" * 100)
        except OSError:
            log.refused += 1
            if log.refused == 1:
                pause = 0.2
                print("standing %d" % os.getpid(), flush=True)
        time.sleep(pause)


def main():
    log = EventLog(sys.argv[1])
    threading.Thread(target=collect, args=(log,), name="collector").start()
    while True:
        time.sleep(1)


if __name__ == "__main__":
    main()
