"""A worker that was forked while a thread was in a codec's own mutex, in native code; the worker wants it too."""
import ctypes
import os
import threading
import time

libc = ctypes.CDLL(None)
mutex = ctypes.create_string_buffer(64)
busy = threading.Event()


def encode():
    libc.pthread_mutex_lock(mutex)
    busy.set()
    time.sleep(1000)


threading.Thread(target=encode, daemon=True).start()
busy.wait()
worker = os.fork()
if worker == 0:
    print('standing %d' % os.getpid(), flush=True)
    libc.pthread_mutex_lock(mutex)
    os._exit(0)
os.waitpid(worker, 0)
