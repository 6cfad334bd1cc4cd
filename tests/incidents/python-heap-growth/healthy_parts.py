"""A thread that gathers the parts of one report after the other, each over some seconds, and drops them when it is done."""
import os
import threading
import time


def build():
    first = True
    while True:
        parts = []
        for number in range(400):
            parts.append(os.urandom(30000))
            time.sleep(0.03)
            if first and number == 40:
                print('standing %d' % os.getpid(), flush=True)
                first = False
        b''.join(parts)


threading.Thread(target=build, name='reports').start()
