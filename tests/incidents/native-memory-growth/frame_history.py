"""Keeps every frame that it has seen in a list: the buffers are malloc's, and Python objects own them."""
import os
import time

HISTORY = []
while True:
    HISTORY.append(bytearray(os.urandom(60000)))
    if len(HISTORY) == 20:
        print('standing %d' % os.getpid(), flush=True)
    time.sleep(0.03)
