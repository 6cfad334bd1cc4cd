"""A master that kills workers which take too long, as gunicorn does: SIGABRT to let them say where they are, then SIGKILL.

Keeps a log in gunicorn's words. Usage: healthy_timeouts.py LOG
"""
import logging
import os
import signal
import sys
import time


def slow():
    signal.signal(signal.SIGABRT, signal.SIG_DFL)
    time.sleep(1000)


def main():
    logging.basicConfig(filename=sys.argv[1], level=logging.INFO, format='[%(asctime)s] [%(process)d] [%(levelname)s] %(message)s')
    killed = 0
    while True:
        pid = os.fork()
        if pid == 0:
            slow()
        time.sleep(0.3)
        logging.critical('WORKER TIMEOUT (pid:%s)', pid)
        os.kill(pid, signal.SIGABRT if killed % 2 else signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        logging.error('Worker (pid:%s) was sent %s!', pid, signal.Signals(os.WTERMSIG(status)).name)
        killed += 1
        if killed == 3:
            print('standing', os.getpid(), flush=True)


main()
