"""Scores in a file that is mapped into memory; a new game makes room for its own at the end of the file.

    score_table.py FOLDER     says `standing PID` when it is ready; after a line on standard input it writes into the map
"""
import mmap
import os
import sys


def main():
    with open(os.path.join(sys.argv[1], "scores"), "w+b") as file:
        file.truncate(1024 * 1024)
        table = mmap.mmap(file.fileno(), 0)
        print("standing %d" % os.getpid(), flush=True)
        sys.stdin.readline()
        for game in range(256):
            table[game * 4096] = game % 256


if __name__ == "__main__":
    main()
