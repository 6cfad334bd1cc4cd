"""A store that tells its observers about changes while it holds its lock; an observer asks the store, and waits for
itself.

    observers.py      events: `notifying` (pid)
"""
import json
import os
import threading


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


class Store(object):
    def __init__(self):
        self.lock = threading.Lock()
        self.values = {}
        self.observers = []

    def get(self, name):
        with self.lock:
            return self.values.get(name)

    def set(self, name, value):
        with self.lock:
            self.values[name] = value
            for observer in self.observers:
                observer(name)


class Mirror(object):
    def __init__(self, store):
        self.store = store
        self.copy = {}
        store.observers.append(self.refresh)

    def refresh(self, name):
        tell("notifying", pid=os.getpid())
        self.copy[name] = self.store.get(name)


def idle(done):
    done.wait()


def main():
    store = Store()
    Mirror(store)
    done = threading.Event()
    waiter = threading.Thread(target=idle, args=(done,), name="idle")
    waiter.daemon = True
    waiter.start()
    store.set("colour", "blue")


if __name__ == "__main__":
    main()
