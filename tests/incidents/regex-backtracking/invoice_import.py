"""An importer whose worker thread splits lines by a pattern with `.*?` in counted rounds, through the functions of `re`."""
import os
import queue
import re
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing

jobs = queue.Queue()


def customer_of(line):
    found = re.search(r'^(.*?,){11}P', line)
    return found.group(0) if found else None


def work():
    while True:
        customer_of(jobs.get())
        jobs.task_done()


worker = threading.Thread(target=work, name='importer')
worker.daemon = True
worker.start()
jobs.put('1,2,3,4,5,6,7,8,9,10,11,P')
standing.say_standing()
jobs.put(','.join(str(number) for number in range(60)))
jobs.join()
