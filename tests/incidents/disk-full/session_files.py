"""Keeps each session in a little file of its own, until the file system has no inode left though it has room.

    session_files.py FOLDER      says `standing PID` when it was refused a file for the first time, and goes on trying
"""
import os
import sys
import time


class Sessions:
    def __init__(self, folder):
        self.folder = folder

    def save(self, key, text):
        with open(os.path.join(self.folder, "session-%06d" % key), "w") as file:
            file.write(text)


def main():
    sessions = Sessions(sys.argv[1])
    os.chdir("/")
    key = 0
    told = False
    while True:
        key += 1
        try:
            sessions.save(key, "user=%d" % key)
        except OSError:
            if not told:
                told = True
                print("standing %d" % os.getpid(), flush=True)
        if told:
            time.sleep(0.3)


if __name__ == "__main__":
    main()
