"""Hundreds of threads that wait, to which another one comes every few milliseconds; `standing` when the first are there."""
import os
import threading
import time

threading.stack_size(64 * 1024)
gone = threading.Event()


def linger():
    gone.wait()


def begin():
    thread = threading.Thread(target=linger)
    thread.daemon = True
    thread.start()


for _ in range(500):
    begin()
os.write(1, ('standing %d\n' % os.getpid()).encode())
for _ in range(8000):
    begin()
    time.sleep(0.002)
gone.wait()
