"""Threads take turns at an extension's mutex, which one of them keeps for long: they wait, but for no one that waits for them."""
import ctypes
import os
import threading
import time

libc = ctypes.CDLL(None)
mutex = ctypes.create_string_buffer(64)
done = []


def work(seconds):
    while True:
        libc.pthread_mutex_lock(mutex)
        time.sleep(seconds)
        done.append(seconds)
        libc.pthread_mutex_unlock(mutex)
        time.sleep(0.001)


for seconds in (0.5, 0.001, 0.001):
    threading.Thread(target=work, args=(seconds,), daemon=True).start()
while not done:
    time.sleep(0.01)
print('standing %d' % os.getpid(), flush=True)
threading.Event().wait()
