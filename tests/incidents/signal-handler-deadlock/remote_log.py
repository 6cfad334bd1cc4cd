"""A batch program whose log handler collects records for a remote collector under a plain lock of its own.

`logging` guards handlers with a lock that its own thread may take again; this handler replaced it with one that it may
not. A SIGTERM that is logged while a batch is being packed waits for the lock that its own thread has.

    remote_log.py      events: `packing` (pid), then send SIGTERM; `caught` (pid)
"""
import base64
import json
import logging
import os
import signal
import threading
import time
import zlib


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


class RemoteHandler(logging.Handler):
    def __init__(self, batch):
        logging.Handler.__init__(self)
        self.batch = batch
        self.records = []

    def createLock(self):
        self.lock = threading.Lock()

    def emit(self, record):
        self.records.append(self.format(record))
        if len(self.records) >= self.batch:
            self.send()

    def send(self):
        tell("packing", pid=os.getpid())
        packed = "\n".join(self.records).encode("utf-8")
        for _ in range(30000):
            packed = zlib.compress(base64.b64encode(packed)[:60000], 1)
        del self.records[:]


def on_term(signum, frame):
    tell("caught", pid=os.getpid())
    logging.getLogger("batch").warning("signal %d", signum)
    raise SystemExit(0)


def main():
    log = logging.getLogger("batch")
    log.setLevel(logging.INFO)
    log.addHandler(RemoteHandler(500))
    signal.signal(signal.SIGTERM, on_term)
    number = 0
    while True:
        number += 1
        log.info("row %d", number)
        if number % 5000 == 0:
            time.sleep(0.01)


if __name__ == "__main__":
    main()
