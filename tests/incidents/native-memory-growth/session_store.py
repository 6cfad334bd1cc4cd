"""A store of sessions that only grows: Python objects, and no native code."""
import os
import time

SESSIONS = {}
number = 0
while True:
    for _ in range(200):
        number += 1
        SESSIONS['session-%d' % number] = {'user': number, 'path': '/home/%d' % number, 'seen': [number] * 20}
    if number == 2000:
        print('standing %d' % os.getpid(), flush=True)
    time.sleep(0.02)
