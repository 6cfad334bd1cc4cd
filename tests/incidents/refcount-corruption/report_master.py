"""A pre-fork service whose workers summarise tables of wide rows; the extension drops rows that it was only lent.

Usage: report_master.py [cores]
"""
import gc
import os
import resource
import sys
import time
from array import array

import rowcache

COLUMNS = 100


class Report:
    def __init__(self, number):
        self.table = [tuple(range(number, number + COLUMNS)) for _ in range(40)]

    def firsts(self):
        return [rowcache.first_of(self.table, index) for index in range(0, len(self.table), 2)]


def summarise(number):
    report = Report(1000 + number)
    firsts = report.firsts()
    counters = [array('q', [1] * (COLUMNS + 5)) for _ in range(400)]
    gc.collect()
    return firsts, counters


def serve():
    for number in range(1000):
        time.sleep(0.15)
        summarise(number)


def main():
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    soft = hard if 'cores' in sys.argv[1:] else 0
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    lost = 0
    while True:
        pid = os.fork()
        if pid == 0:
            try:
                serve()
            finally:
                os._exit(1)
        _, status = os.waitpid(pid, 0)
        print('lost', pid, status, flush=True)
        lost += 1
        if lost == 3:
            print('standing', os.getpid(), flush=True)
        time.sleep(0.2)


main()
