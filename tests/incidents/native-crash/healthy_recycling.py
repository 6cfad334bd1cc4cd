"""A pre-fork master that renews each worker after a number of requests: they end by exit 0, all the time."""
import os
import sys
import time


def serve():
    for number in range(10):
        sum(range(2000 + number))
        time.sleep(0.02)
    os._exit(0)


def main():
    ended = 0
    while True:
        pid = os.fork()
        if pid == 0:
            serve()
        os.waitpid(pid, 0)
        ended += 1
        if ended == 3:
            print('standing', os.getpid(), flush=True)


main()
