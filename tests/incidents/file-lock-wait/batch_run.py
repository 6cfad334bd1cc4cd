"""Runs of a batch that must not run at once: whoever can make the lock file, with its pid in it, runs.

    batch_run.py hold FOLDER     makes it and works for good; events: `running` (pid)
    batch_run.py crash FOLDER    makes it and ends without removing it; events: `running` (pid)
    batch_run.py wait FOLDER     waits for it; events: `busy` (pid) when it was refused
"""
import json
import os
import sys
import time


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


def make(path):
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    os.write(descriptor, b"%d\n" % os.getpid())
    os.close(descriptor)


def start(folder):
    path = os.path.join(folder, "batch.lock")
    told = False
    while True:
        try:
            return make(path)
        except FileExistsError:
            if not told:
                told = True
                tell("busy", pid=os.getpid())
            time.sleep(0.25)


def main():
    what, folder = sys.argv[1:3]
    start(folder)
    tell("running", pid=os.getpid())
    while what == "hold":
        time.sleep(1)


if __name__ == "__main__":
    main()
