"""An extension waits for its mutex without giving the interpreter's lock back, which the mutex's owner needs to go on."""
import ctypes
import os
import threading
import time

held = ctypes.CDLL(None)
greedy = ctypes.PyDLL(None)
mutex = ctypes.create_string_buffer(64)
taken = threading.Event()


def compact():
    held.pthread_mutex_lock(mutex)
    taken.set()
    time.sleep(0.2)
    held.pthread_mutex_unlock(mutex)


def look_up():
    taken.wait()
    print('standing %d' % os.getpid(), flush=True)
    greedy.pthread_mutex_lock(mutex)


threads = [threading.Thread(target=compact, name='compact'), threading.Thread(target=look_up, name='look-up')]
for thread in threads:
    thread.start()
