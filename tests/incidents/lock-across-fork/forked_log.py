"""A service that logs in a thread while it forks, under Pythons whose logging does not make its locks anew in a child
(before 3.7.1); its handler has a lock of the usual kind and writes to a slow place.

    forked_log.py      events: `up` (master, worker), `logging` (pid)
"""
import json
import logging
import os
import threading
import time


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


class SlowHandler(logging.Handler):
    writing = threading.Event()

    def emit(self, record):
        self.writing.set()
        time.sleep(0.3)


def chatter():
    while True:
        logging.warning("still here")


def main():
    logging.getLogger().addHandler(SlowHandler())
    thread = threading.Thread(target=chatter, name="chatter")
    thread.daemon = True
    thread.start()
    SlowHandler.writing.wait()
    worker = os.fork()
    if worker == 0:
        tell("logging", pid=os.getpid())
        logging.warning("worker starts")
        os._exit(0)
    tell("up", master=os.getpid(), worker=worker)
    os.waitpid(worker, 0)


if __name__ == "__main__":
    main()
