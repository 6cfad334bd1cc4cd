"""Threads that import inside of functions, after the main program has imported everything."""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def work():
    while True:
        import decimal
        decimal.Decimal(1)
        time.sleep(0.01)


for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
standing.say_standing()
while True:
    time.sleep(1)
