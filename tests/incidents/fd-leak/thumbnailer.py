"""A threaded service whose workers keep temporary files, until none can be opened; each failure is logged and forgotten.

    thumbnailer.py LIMIT      lowers its limit; says `standing PID` when it was refused a file for the first time
"""
import errno
import os
import queue
import resource
import sys
import tempfile
import threading
import time

tasks = queue.Queue()
cache = {}
told = threading.Event()


def render(name):
    scratch = tempfile.TemporaryFile()
    scratch.write(b"\x89PNG" + name.encode())
    cache[name] = scratch


def worker():
    while True:
        name = tasks.get()
        try:
            render(name)
        except OSError as error:
            sys.stderr.write("cannot render %s: %s\n" % (name, error))
            if error.errno == errno.EMFILE and not told.is_set():
                told.set()
                print("standing %d" % os.getpid(), flush=True)


def main():
    limit = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    sys.stderr = open(os.devnull, "w")
    for number in range(3):
        threading.Thread(target=worker, name="render-%d" % number, daemon=True).start()
    number = 0
    while True:
        number += 1
        tasks.put("image-%d" % number)
        time.sleep(0.002 if not told.is_set() else 0.1)


if __name__ == "__main__":
    main()
