"""A pool of forked workers that remember the last rows in an extension, which never took a reference of its own.

Workers are watched and started again by a thread each, and a log tells in own words how they ended. Usage: ledger_workers.py LOG [cores]
"""
import os
import resource
import sys
import threading
import time
from array import array

import rowcache

COLUMNS = 60


def load(number):
    return tuple('%d-%d' % (number, column) for column in range(COLUMNS))


def balance(rows):
    for number in range(rows):
        row = load(number)
        rowcache.remember(row)
        del row
        totals = [array('q', [1] * (COLUMNS + 5)) for _ in range(4)]
        time.sleep(0.01)
    return totals


def work():
    time.sleep(0.5)
    balance(500)


def keep(log, place, lost):
    while True:
        pid = os.fork()
        if pid == 0:
            try:
                work()
            finally:
                os._exit(1)
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            log.write('%s worker %d (pid %d) died, signal %d\n' % (time.strftime('%Y-%m-%d %H:%M:%S'), place, pid, os.WTERMSIG(status)))
            log.flush()
        lost.append(pid)
        if len(lost) == 3:
            print('standing', os.getpid(), flush=True)
        time.sleep(0.2)


def main():
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    soft = hard if 'cores' in sys.argv[2:] else 0
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    log, lost = open(sys.argv[1], 'a'), []
    for place in range(2):
        threading.Thread(target=keep, args=(log, place, lost), daemon=True).start()
    threading.Event().wait()


main()
