"""Two threads, each in an extension's mutex, want the mutex of the other one: no lock of Python is part of it."""
import ctypes
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing

libc = ctypes.CDLL(None)


class Guarded:
    def __init__(self):
        self.mutex = ctypes.create_string_buffer(64)
        self.taken = threading.Event()

    def lock(self):
        libc.pthread_mutex_lock(self.mutex)
        self.taken.set()

    def unlock(self):
        libc.pthread_mutex_unlock(self.mutex)


def merge(into, other):
    into.lock()
    other.taken.wait()
    other.lock()
    other.unlock()
    into.unlock()


pages, words = Guarded(), Guarded()
threads = [
    threading.Thread(target=merge, args=(pages, words), name='pages'),
    threading.Thread(target=merge, args=(words, pages), name='words'),
]
for thread in threads:
    thread.daemon = True
    thread.start()
standing.when_inside('lock', threads[1].ident)
while True:
    time.sleep(0.5)
