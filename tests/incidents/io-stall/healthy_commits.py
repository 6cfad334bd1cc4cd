"""Commits small records all the time, each with fsync: often in state D, and getting on.

    healthy_commits.py FOLDER     says `standing PID` after a hundred commits
"""
import os
import sys


def main():
    with open(os.path.join(sys.argv[1], "records"), "wb", buffering=0) as file:
        number = 0
        while True:
            file.seek(number % 64 * 4096)
            file.write(b"r" * 4096)
            os.fsync(file.fileno())
            number += 1
            if number == 100:
                print("standing %d" % os.getpid(), flush=True)


if __name__ == "__main__":
    main()
