"""A router of messages with a pool of threads, each of which connects to its host by name. The name server is slow."""
import concurrent.futures
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import name_server
import standing

STARTED = threading.Barrier(5)


def deliver(number):
    STARTED.wait()
    for attempt in range(10000):
        try:
            socket.create_connection(('relay%d-%d.example.com' % (number, attempt), 25), timeout=2).close()
        except OSError:
            pass


name_server.isolate()
name_server.start(1.4)
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    jobs = [pool.submit(deliver, number) for number in range(4)]
    STARTED.wait()
    standing.say_standing()
    for job in jobs:
        job.result()
