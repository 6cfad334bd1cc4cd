"""Starts a child whose input is a named pipe that nobody has opened for writing yet: the parent waits until it has execed.

    slow_spawn.py FOLDER     says `standing PID` just before
"""
import os
import sys


def main():
    fifo = os.path.join(sys.argv[1], "input")
    os.mkfifo(fifo)
    print("standing %d" % os.getpid(), flush=True)
    os.posix_spawn("/bin/cat", ["cat"], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 0, fifo, os.O_RDONLY, 0)])


if __name__ == "__main__":
    main()
