"""Takes orders from a queue that one thread fills; that thread has died of an order that it could not read."""
import queue
import threading
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


class Intake:
    def __init__(self):
        self.orders = queue.Queue()

    def read_feed(self):
        for line in ['12,pears', '7,apples', 'broken']:
            number, what = line.split(',')
            self.orders.put((int(number), what))

    def next_order(self):
        return self.orders.get()


intake = Intake()
feeder = threading.Thread(target=intake.read_feed, name='feed')
feeder.start()
standing.when_inside('next_order', for_seconds=0.5)
while True:
    intake.next_order()
