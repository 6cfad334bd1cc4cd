"""Goes away in the middle of a look, in the way that a line on standard input says."""
from __future__ import print_function

import os
import sys
import threading
import time

for _ in range(3):
    thread = threading.Thread(target=time.sleep, args=(1000,))
    thread.daemon = True
    thread.start()
print('standing', os.getpid())
way = sys.stdin.readline().strip()
if way == 'exec':
    os.execv('/bin/sleep', ['sleep', '1000'])
os._exit(0)
