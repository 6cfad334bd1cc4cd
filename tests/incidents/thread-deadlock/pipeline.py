"""Three stages of a pipeline that call each other while they hold their own lock, which they may take again.

Each stage holds its own RLock and wants the next one's: a ring of three.

    pipeline.py      events: `stuck` (pid)
"""
import json
import os
import threading
import time


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


class Stage(object):
    def __init__(self, name):
        self.name = name
        self.lock = threading.RLock()
        self.following = None
        self.busy = False
        self.done = 0

    def push(self, item):
        with self.lock:
            self.busy = True
            self._prepare(item)
            self.following.accept(item)
            self.busy = False
            self.done += 1

    def _prepare(self, item):
        with self.lock:
            time.sleep(0.05)

    def accept(self, item):
        with self.lock:
            return item


def main():
    stages = [Stage(name) for name in ("read", "clean", "store")]
    for number, stage in enumerate(stages):
        stage.following = stages[(number + 1) % len(stages)]

    def run(stage):
        while True:
            stage.push(time.time())

    for stage in stages:
        thread = threading.Thread(target=run, args=(stage,), name=stage.name)
        thread.daemon = True
        thread.start()
    told = False
    before, since = None, time.time()
    while True:
        time.sleep(0.1)
        done = [stage.done for stage in stages]
        if done != before:
            before, since = done, time.time()
        elif all(stage.busy for stage in stages) and time.time() - since > 1 and not told:
            told = True
            tell("stuck", pid=os.getpid())


if __name__ == "__main__":
    main()
