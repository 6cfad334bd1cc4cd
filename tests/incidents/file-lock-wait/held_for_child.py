"""A service that stops its helper while it holds the lock of their common state file.

    held_for_child.py lock     the helper wants that lock on its way out: neither comes to an end
    held_for_child.py plain    the helper is still at its last piece of work, and wants no lock
"""
import fcntl
import json
import os
import signal
import sys
import time


class StateFile(object):
    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.file = open(self.path, "a")
        fcntl.flock(self.file, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_):
        self.file.close()


def say(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


def helper(verb, path, ready):
    def on_term(signum, frame):
        say("asked")
        if verb == "lock":
            with StateFile(path):
                pass
        else:
            os.read(os.pipe()[0], 1)
        os._exit(0)

    signal.signal(signal.SIGTERM, on_term)
    os.write(ready, b"+")
    while True:
        time.sleep(1)


def stop_helper(pid, path):
    with StateFile(path):
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)


def main():
    path = os.path.abspath("state.json")
    signal.signal(signal.SIGUSR1, lambda signum, frame: None)
    started, ready = os.pipe()
    child = os.fork()
    if child == 0:
        helper(sys.argv[1], path, ready)
    os.read(started, 1)
    say("up", service=os.getpid(), helper=child)
    signal.pause()
    stop_helper(child, path)


if __name__ == "__main__":
    main()
