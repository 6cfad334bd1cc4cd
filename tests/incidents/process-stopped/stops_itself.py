"""A worker that a stray SIGSTOP in its own deployment hook stops, together with its child; the hook never continues it."""
import os
import signal
import subprocess
import sys


def drain(pids):
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)


def main():
    child = subprocess.Popen([sys.executable, '-c', 'import time\nwhile True: time.sleep(0.1)'])
    print('stopping', flush=True)
    drain([child.pid, os.getpid()])
    child.wait()


main()
