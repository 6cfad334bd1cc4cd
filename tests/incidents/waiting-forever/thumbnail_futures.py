"""Tasks of a thread pool that wait for further tasks of the same pool: all threads are taken by those who wait."""
import concurrent.futures
import threading
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing

pool = concurrent.futures.ThreadPoolExecutor(max_workers=2)
gate = threading.Barrier(2)


def load(name):
    return len(name)


def thumbnail(name):
    gate.wait()
    return pool.submit(load, name).result()


def render(names):
    return [future.result() for future in [pool.submit(thumbnail, name) for name in names]]


standing.when_inside('render', for_seconds=0.5)
render(['cat', 'dog'])
