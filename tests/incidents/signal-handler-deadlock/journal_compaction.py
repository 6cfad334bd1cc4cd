"""A daemon that keeps a journal and compacts it under a blocking flock; its SIGUSR1 handler writes a marker under it too.

A signal during the compaction blocks in flock for good: the descriptor that holds the lock is the same process's.

    journal_compaction.py FOLDER      events: `compacting` (pid), then send SIGUSR1; `locking` (pid, where: handler)
"""
import contextlib
import fcntl
import hashlib
import json
import os
import signal
import sys


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


@contextlib.contextmanager
def exclusive(path):
    """The lock stands as long as the file is open."""
    with open(path, "a") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield guard


class Journal(object):
    def __init__(self, folder):
        self.path = os.path.join(folder, "journal")
        self.lock = self.path + ".lock"
        self.entries = 0

    def append(self, text):
        with exclusive(self.lock):
            with open(self.path, "a") as journal:
                journal.write(text + "\n")
        self.entries += 1

    def compact(self):
        with exclusive(self.lock):
            tell("compacting", pid=os.getpid())
            self._rewrite()

    def _rewrite(self):
        digest = hashlib.sha256()
        for generation in range(200000):
            with open(self.path, "rb") as journal:
                for line in journal:
                    digest.update(line)
        with open(self.path, "w") as journal:
            journal.write(digest.hexdigest() + "\n")


class Daemon(object):
    def __init__(self, folder):
        self.journal = Journal(folder)

    def on_usr1(self, signum, frame):
        tell("locking", pid=os.getpid(), where="handler")
        self.journal.append("marker")

    def run(self):
        signal.signal(signal.SIGUSR1, self.on_usr1)
        for number in range(100):
            self.journal.append("entry %d" % number)
        while True:
            self.journal.compact()


if __name__ == "__main__":
    Daemon(sys.argv[1]).run()
