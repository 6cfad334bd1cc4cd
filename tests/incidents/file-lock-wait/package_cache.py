"""A cache of packages that is guarded by a folder: whoever can make it has the lock.

    package_cache.py fill CACHE     makes the lock and works for good; events: `filling` (pid)
    package_cache.py use CACHE      waits for the lock; events: `busy` (pid) when it was refused
"""
import errno
import json
import os
import sys
import time


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


class FolderLock(object):
    def __init__(self, cache):
        self.path = os.path.join(cache, "in-use")

    def __enter__(self):
        told = False
        while True:
            try:
                os.mkdir(self.path)
                return self
            except OSError as error:
                if error.errno != errno.EEXIST:
                    raise
            if not told:
                told = True
                tell("busy", pid=os.getpid())
            time.sleep(0.3)

    def __exit__(self, *_):
        os.rmdir(self.path)


def fill(cache):
    with FolderLock(cache):
        with open(os.path.join(cache, "in-use", "owner"), "w") as owner:
            owner.write("%d\n" % os.getpid())
            owner.flush()
            tell("filling", pid=os.getpid())
            while True:
                time.sleep(1)


def use(cache):
    with FolderLock(cache):
        return os.listdir(cache)


if __name__ == "__main__":
    (fill if sys.argv[1] == "fill" else use)(sys.argv[2])
