"""Starts and ends threads all the time, each of which has its own short stack."""
from __future__ import print_function

import os
import sys
import threading
import time


def short(number):
    return shorter(number)


def shorter(number):
    time.sleep(0.0005 * (number % 4))


def lasting():
    while True:
        time.sleep(0.001)


for name in ('lasting-1', 'lasting-2'):
    thread = threading.Thread(target=lasting, name=name)
    thread.daemon = True
    thread.start()
print('standing', os.getpid())
number = 0
while True:
    some = [threading.Thread(target=short, args=(number + one,)) for one in range(8)]
    for thread in some:
        thread.daemon = True
        thread.start()
    for thread in some:
        thread.join()
    number += 8
