"""Waits for the signal to stop, while a pool of threads waits for jobs that a thread takes from a socket."""
import queue
import signal
import socket
import threading
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing

jobs = queue.Queue()
stop = threading.Event()


def take(listening):
    while True:
        peer, _ = listening.accept()
        jobs.put(peer)


def work():
    while True:
        jobs.get().close()


def run():
    stop.wait()


listening = socket.socket()
listening.bind(('127.0.0.1', 0))
listening.listen(5)
threading.Thread(target=take, args=(listening,), daemon=True).start()
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
standing.when_inside('run')
run()
