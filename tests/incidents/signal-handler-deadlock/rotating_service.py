"""A pre-fork service whose workers share one log file that is rotated under a file lock.

The exit handler logs. The master sends SIGTERM to its workers again every tenth of a second until they are gone. The
worker that rotates when the second signal comes in waits for a lock that it holds itself; the others wait for it.

    rotating_service.py serve FOLDER    the master with its workers; SIGTERM asks it to stop
    rotating_service.py start FOLDER    a second service of the same kind, which only has to log that it starts

Events, one JSON object a line on standard output: `up` (master, workers), `rotating` (pid), `blocked` (pid, holds,
depth: how many acquisitions of that process are under way), `started` (pid).
"""
import errno
import fcntl
import json
import logging
import logging.handlers
import multiprocessing
import os
import select
import signal
import sys
import time
import zlib

LOG_BYTES = 24 * 1024 * 1024
WORKERS = 3


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


class FileLock(object):
    """A lock between processes: polls flock without blocking, as lock libraries with a timeout do."""

    under_way = 0
    held = 0

    def __init__(self, path, poll_interval=0.05):
        self.path = path
        self.poll_interval = poll_interval
        self.fd = None

    def acquire(self):
        FileLock.under_way += 1
        first = FileLock.under_way <= 3
        while not self._try():
            if first:
                tell("blocked", pid=os.getpid(), holds=FileLock.held > 0, depth=FileLock.under_way)
                first = False
            time.sleep(self.poll_interval)
        FileLock.held += 1

    def _try(self):
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (IOError, OSError) as error:
            os.close(fd)
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            return False
        self.fd = fd
        return True

    def release(self):
        FileLock.held -= 1
        FileLock.under_way -= 1
        fd, self.fd = self.fd, None
        fcntl.flock(fd, fcntl.LOCK_UN)
        os.close(fd)

    def __enter__(self):
        self.acquire()
        return self

    def __exit__(self, *_):
        self.release()


class SharedRotatingHandler(logging.handlers.BaseRotatingHandler):
    """Many processes write to one file; whoever meets a full one compresses it, under a lock."""

    def __init__(self, path):
        self.lock_path = os.path.join(os.path.dirname(path), "." + os.path.basename(path))
        logging.handlers.BaseRotatingHandler.__init__(self, path, "a")

    def shouldRollover(self, record):
        return os.path.exists(self.baseFilename) and os.path.getsize(self.baseFilename) >= LOG_BYTES

    def doRollover(self):
        with FileLock(self.lock_path):
            if self.shouldRollover(None):
                tell("rotating", pid=os.getpid())
                self._compress()

    def _compress(self):
        squeeze = zlib.compressobj(9)
        with open(self.baseFilename, "rb") as old, open(self.baseFilename + ".z", "wb") as new:
            while True:
                chunk = old.read(16384)
                if not chunk:
                    break
                new.write(squeeze.compress(chunk))
            new.write(squeeze.flush())
        os.rename(self.baseFilename, self.baseFilename + ".1")


def log_to(folder):
    logging.raiseExceptions = False
    log = logging.getLogger()
    log.setLevel(logging.INFO)
    log.addHandler(SharedRotatingHandler(os.path.join(folder, "service.log")))


class Worker(object):
    """Takes jobs from a pipe until it is asked to stop."""

    def __init__(self, jobs):
        self.jobs = jobs
        self.stopping = False

    def run(self, ready):
        signal.signal(signal.SIGTERM, self.on_term)
        os.write(ready, b"%d\n" % os.getpid())
        while not self.stopping:
            self.wait_for_job()

    def wait_for_job(self):
        try:
            select.select([self.jobs], [], [], 0.5)
        except (IOError, OSError, select.error) as error:
            if error.args[0] != errno.EINTR:
                raise

    def on_term(self, signum, frame):
        logging.info("worker %d caught signal %d, exit ...", os.getpid(), signum)
        self.stopping = True


class Master(object):
    def run(self):
        context = multiprocessing.get_context("fork") if hasattr(multiprocessing, "get_context") else multiprocessing
        jobs = os.pipe()
        ready = os.pipe()
        for _ in range(WORKERS):
            context.Process(target=Worker(jobs[0]).run, args=(ready[1],)).start()
        with os.fdopen(ready[0]) as pids:
            pids = [int(pids.readline()) for _ in range(WORKERS)]
        signal.signal(signal.SIGTERM, self.exit_signal_handler)
        tell("up", master=os.getpid(), workers=pids)
        while True:
            time.sleep(1)

    def exit_signal_handler(self, signum, frame):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.stop_workers()
        os._exit(0)

    def stop_workers(self):
        while multiprocessing.active_children():
            for worker in multiprocessing.active_children():
                worker.terminate()
            time.sleep(0.1)


def fill_log(folder):
    block = os.urandom(1024 * 1024)
    with open(os.path.join(folder, "service.log"), "wb") as log:
        for _ in range(LOG_BYTES // len(block)):
            log.write(block)


def main():
    verb, folder = sys.argv[1], sys.argv[2]
    if verb == "serve":
        fill_log(folder)
        log_to(folder)
        Master().run()
    else:
        log_to(folder)
        logging.info("second service starts")
        tell("started", pid=os.getpid())


if __name__ == "__main__":
    main()
