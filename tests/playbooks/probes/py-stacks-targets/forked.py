"""A child that was forked from a thread of a program with threads, and starts a thread of its own."""
from __future__ import print_function

import os
import sys
import threading
import time


def in_child():
    time.sleep(1000)


def waits_in_child():
    thread = threading.Thread(target=in_child, name='started in child')
    thread.daemon = True
    thread.start()
    while not thread.is_alive():
        time.sleep(0.001)
    print('standing', os.getpid())
    sys.stdin.readline()
    os._exit(0)


def forks():
    child = os.fork()
    if not child:
        waits_in_child()
    os.waitpid(child, 0)


for _ in range(2):
    thread = threading.Thread(target=time.sleep, args=(1000,))
    thread.daemon = True
    thread.start()
thread = threading.Thread(target=forks)
thread.start()
thread.join()
