"""Six threads work out tariffs in Python: each wants a processor, and the interpreter lock lets one run at a time."""
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def work_out(customer):
    bill = 0
    for month in range(10 ** 9):
        bill += sum((customer * month + day) % 29 for day in range(30))
    return bill


threads = [threading.Thread(target=work_out, args=(customer,), name='tariff-%d' % customer) for customer in range(6)]
for thread in threads:
    thread.daemon = True
    thread.start()
standing.when_inside('work_out', threads[0].ident)
for thread in threads:
    while thread.is_alive():
        thread.join(3600)
