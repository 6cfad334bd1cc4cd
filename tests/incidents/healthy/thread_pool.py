"""A pool of threads that waits for work; the main thread waits for a signal."""
import concurrent.futures
import os
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def main():
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=12, thread_name_prefix='worker')
    gate = threading.Barrier(12)
    list(pool.map(lambda n: gate.wait(), range(12)))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    standing.say_standing()
    stop.wait()
    pool.shutdown()


main()
