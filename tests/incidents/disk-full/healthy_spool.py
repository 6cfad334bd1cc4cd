"""A spool that uses nearly all of its file system, and makes room before it writes: full, but never refused.

    healthy_spool.py FOLDER      says `standing PID` when it has begun to make room
"""
import collections
import os
import sys
import time

PIECE = 16 * 1024


def main():
    folder = sys.argv[1]
    pieces = collections.deque()
    number = 0
    told = False
    while True:
        space = os.statvfs(folder)
        if space.f_bavail * space.f_frsize < 8 * PIECE:
            os.unlink(pieces.popleft())
            if not told:
                told = True
                print("standing %d" % os.getpid(), flush=True)
        number += 1
        name = os.path.join(folder, "piece-%d" % number)
        with open(name, "wb") as file:
            file.write(b"s" * PIECE)
        pieces.append(name)
        time.sleep(0.05 if told else 0)


if __name__ == "__main__":
    main()
