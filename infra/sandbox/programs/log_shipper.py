"""A worker under a supervisor. It logs in its signal handler, and the log rotates under a file lock."""
import fcntl
import os
import signal
import sys
import tempfile
import time

FOLDER = tempfile.mkdtemp(prefix="log-shipper-")


class FileLock:
    """Tries to lock the file until it can, as many lock libraries do."""

    def __init__(self, path, poll=0.05):
        self.path = path
        self.poll = poll

    def __enter__(self):
        self.file = open(self.path, "a")
        while True:
            try:
                fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return self
            except OSError:
                time.sleep(self.poll)

    def __exit__(self, *_):
        fcntl.flock(self.file, fcntl.LOCK_UN)
        self.file.close()


class RotatingLog:
    def __init__(self, path):
        self.path = path

    def rotate(self):
        with FileLock(os.path.join(os.path.dirname(self.path), ".app-log.lock")):
            if os.path.exists(self.path):
                os.replace(self.path, self.path + ".1")
            time.sleep(0.5)

    def info(self, text):
        self.rotate()
        with open(self.path, "a") as out:
            out.write(text + "\n")


LOG = RotatingLog(os.path.join(FOLDER, "app.log"))


def exit_handler(signum, frame):
    LOG.info("caught signal %d, going to exit" % signum)
    os._exit(0)


def work():
    signal.signal(signal.SIGTERM, exit_handler)
    LOG.info("worker is up")
    os.write(READY, b"up\n")
    while True:
        time.sleep(1)


READ_END, READY = os.pipe()


def supervise():
    child = os.fork()
    if child == 0:
        work()
    os.read(READ_END, 3)
    sent = 0
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        os.kill(child, signal.SIGTERM)
        sent += 1
        if sent == 10:
            print("child", child, flush=True)
            print("symptom stands", flush=True)
        # Each signal stacks one more handler; rarely from here on, so that the patient lasts as long as the sandbox.
        time.sleep(0.1 if sent < 10 else 60)


if __name__ == "__main__":
    sys.exit(supervise())
