"""Two threads with two locks; one of the four places takes its lock by acquire() and not by with.

    inventory.py      events: `stuck` (pid)
"""
import json
import os
import threading
import time


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


class Inventory(object):
    def __init__(self):
        self.shelf = threading.Lock()
        self.ledger = threading.Lock()
        self.holding = set()

    def count(self):
        with self.shelf:
            self.holding.add("shelf")
            time.sleep(0.1)
            with self.ledger:
                pass
        self.holding.discard("shelf")

    def book(self):
        self.ledger.acquire()
        try:
            self.holding.add("ledger")
            time.sleep(0.1)
            with self.shelf:
                pass
        finally:
            self.ledger.release()
        self.holding.discard("ledger")


def forever(work):
    while True:
        work()


def main():
    inventory = Inventory()
    for name in ("count", "book"):
        thread = threading.Thread(target=forever, args=(getattr(inventory, name),), name=name)
        thread.daemon = True
        thread.start()
    since = None
    while True:
        time.sleep(0.1)
        since = (since or time.time()) if len(inventory.holding) == 2 else None
        if since and time.time() - since > 1:
            tell("stuck", pid=os.getpid())
            break
    threading.Event().wait()


if __name__ == "__main__":
    main()
