"""A threaded service that keeps its settings in one file under a record lock (fcntl), which it polls.

    settings_store.py edit FILE     takes the lock and keeps it while somebody edits; events: `editing` (pid)
    settings_store.py serve FILE    its saver thread wants the lock; events: `busy` (pid) when it was refused
"""
import errno
import fcntl
import json
import os
import sys
import threading
import time


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


class Settings(object):
    def __init__(self, path):
        self.file = open(path, "a+")
        self.told = False

    def lock(self):
        while True:
            try:
                fcntl.lockf(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except (IOError, OSError) as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
            if not self.told:
                self.told = True
                tell("busy", pid=os.getpid())
            time.sleep(0.2)

    def unlock(self):
        fcntl.lockf(self.file, fcntl.LOCK_UN)

    def save(self, text):
        self.lock()
        try:
            self.file.write(text)
            self.file.flush()
        finally:
            self.unlock()


def edit(path):
    settings = Settings(path)
    settings.lock()
    tell("editing", pid=os.getpid())
    while True:
        time.sleep(1)


def serve(path):
    settings = Settings(path)

    def save_now_and_then():
        while True:
            settings.save("saved\n")
            time.sleep(0.2)

    threading.Thread(target=save_now_and_then, name="saver").start()
    while True:
        time.sleep(0.3)


if __name__ == "__main__":
    (edit if sys.argv[1] == "edit" else serve)(sys.argv[2])
