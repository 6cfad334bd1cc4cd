"""Eight threads that share two locks, taken in one order, and are nearly always waiting for one; all get their turns.

    healthy_lock_heavy.py      events: `up` (pid) when each thread has had 20 turns
"""
import json
import os
import threading
import time


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


class Ledger(object):
    def __init__(self):
        self.outer = threading.RLock()
        self.inner = threading.Lock()
        self.turns = {}

    def work(self, name):
        while True:
            with self.outer:
                with self.inner:
                    time.sleep(0.004)
                    self.turns[name] = self.turns.get(name, 0) + 1
            time.sleep(0.0005)


def main():
    ledger = Ledger()
    names = ["worker-%d" % number for number in range(8)]
    for name in names:
        thread = threading.Thread(target=ledger.work, args=(name,), name=name)
        thread.daemon = True
        thread.start()
    told = False
    while True:
        time.sleep(0.1)
        if not told and all(ledger.turns.get(name, 0) >= 20 for name in names):
            told = True
            tell("up", pid=os.getpid())


if __name__ == "__main__":
    main()
