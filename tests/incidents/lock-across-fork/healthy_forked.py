"""A master with threads that forks workers which use none of its locks: they wait for jobs on a pipe; and a pool whose
workers wait for tasks under the pool's own lock between processes.

    healthy_forked.py      events: `up` (master, worker, pooled)
"""
import json
import multiprocessing
import os
import threading
import time


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


def beat(lock):
    while True:
        with lock:
            time.sleep(0.1)


def main():
    lock = threading.Lock()
    thread = threading.Thread(target=beat, args=(lock,), name="beat")
    thread.daemon = True
    thread.start()
    jobs = os.pipe()
    worker = os.fork()
    if worker == 0:
        while os.read(jobs[0], 1):
            pass
        os._exit(0)
    context = multiprocessing.get_context("fork") if hasattr(multiprocessing, "get_context") else multiprocessing
    pool = context.Pool(2)
    pool.map(abs, range(10))
    pooled = [process.pid for process in multiprocessing.active_children()]
    tell("up", master=os.getpid(), worker=worker, pooled=pooled)
    os.waitpid(worker, 0)
    pool.close()


if __name__ == "__main__":
    main()
