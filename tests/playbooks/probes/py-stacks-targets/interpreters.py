"""A second interpreter in the same process, in which a thread waits."""
import os
import sys
import threading
import time

try:
    import _interpreters
    create, run = _interpreters.create, _interpreters.exec
except ImportError:
    import _xxsubinterpreters
    create, run = _xxsubinterpreters.create, _xxsubinterpreters.run_string

reading, writing = os.pipe()
interpreter = create()
source = '''
import os, time
def in_second_interpreter():
    os.write(%d, b"x")
    time.sleep(1000)
in_second_interpreter()
''' % writing
thread = threading.Thread(target=run, args=(interpreter, source))
thread.daemon = True
thread.start()
os.read(reading, 1)
print('standing', os.getpid())
time.sleep(1000)
