"""Asks its worker to reload by SIGHUP, twice a second; the worker catches it and goes on. `standing PID`: the worker."""
import os
import signal
import time

worker = os.fork()
if worker == 0:
    signal.signal(signal.SIGHUP, lambda signum, frame: None)
    os.write(1, b'standing %d\n' % os.getpid())
    while True:
        time.sleep(0.2)
time.sleep(0.3)
while True:
    os.kill(worker, signal.SIGHUP)
    time.sleep(0.5)
