"""A mail spooler with dot locking: a lock file made with O_CREAT|O_EXCL, waited for by polling.

Its SIGTERM handler saves the queue under the same lock file, so a SIGTERM during a delivery waits for itself. The lock
is taken and given back by plain calls, without a `with`, and nobody keeps the lock file open.

    mail_spool.py FOLDER      events: `delivering` (pid), then send SIGTERM; `blocked` (pid, path)
"""
import errno
import json
import os
import signal
import sys
import time


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


class DotLock(object):
    def __init__(self, path):
        self.path = path + ".lock"

    def acquire(self):
        told = False
        while True:
            try:
                fd = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            except OSError as error:
                if error.errno != errno.EEXIST:
                    raise
                if not told:
                    tell("blocked", pid=os.getpid(), path=self.path)
                    told = True
                time.sleep(0.1)
                continue
            os.write(fd, ("%d\n" % os.getpid()).encode("ascii"))
            os.close(fd)
            return

    def release(self):
        os.unlink(self.path)


class Spool(object):
    def __init__(self, folder):
        self.mailbox = os.path.join(folder, "mailbox")
        self.state = os.path.join(folder, "state.json")
        self.lock = DotLock(self.mailbox)
        self.queue = ["message %d" % number for number in range(50000)]

    def deliver_all(self):
        self.lock.acquire()
        try:
            tell("delivering", pid=os.getpid())
            with open(self.mailbox, "a") as mailbox:
                while self.queue:
                    mailbox.write(self.queue.pop(0) + "\n")
                    mailbox.flush()
                    os.fsync(mailbox.fileno())
        finally:
            self.lock.release()

    def save_state(self):
        self.lock.acquire()
        try:
            with open(self.state, "w") as state:
                json.dump(self.queue, state)
        finally:
            self.lock.release()


def main():
    spool = Spool(sys.argv[1])

    def on_term(signum, frame):
        spool.save_state()
        sys.exit(0)

    signal.signal(signal.SIGTERM, on_term)
    while True:
        spool.deliver_all()
        time.sleep(1)


if __name__ == "__main__":
    main()
