"""A service that its supervisor starts again whenever it ends; it dies of a bad message after a while. The supervisor is the
first process and execs nothing of its own; `standing` names the service that runs after two crashes and stays up.

Usage: respawned.py [service N]
"""
import os
import resource
import subprocess
import sys
import time


def service(number):
    import thumbs
    time.sleep(0.2)
    if number < 2:
        for picture in (b'abcdef', b'abcdefgh', b'abc'):
            thumbs.scale(picture)
    print('standing', os.getpid(), flush=True)
    while True:
        thumbs.scale(b'abcdef')
        time.sleep(0.2)


def supervise():
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    while True:
        subprocess.run([sys.executable, '-u', __file__, 'service'], check=False)


if 'service' in sys.argv:
    state = 'starts'
    starts = len(open(state).read()) if os.path.exists(state) else 0
    with open(state, 'a') as file:
        file.write('.')
    service(starts)
else:
    supervise()
