"""Two runs of a report that must not run at once: a blocking flock on a lock file.

    nightly_report.py export LOCK     takes the lock and works for good; events: `exporting` (pid)
    nightly_report.py wait LOCK       waits for it; events: `locking` (pid)
"""
import contextlib
import fcntl
import json
import os
import sys
import time


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


@contextlib.contextmanager
def only_one(path):
    with open(path, "a") as guard:
        tell("locking", pid=os.getpid())
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield


class Report(object):
    def __init__(self, lock):
        self.lock = lock

    def run(self, export):
        with only_one(self.lock):
            export()


def export_slowly():
    tell("exporting", pid=os.getpid())
    while True:
        time.sleep(0.5)


if __name__ == "__main__":
    Report(sys.argv[2]).run(export_slowly if sys.argv[1] == "export" else lambda: None)
