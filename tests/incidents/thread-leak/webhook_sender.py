"""Starts a thread for each event; it waits for an acknowledgement that never comes."""
import threading
import time
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


class Sender:
    def __init__(self):
        self.acknowledged = {}

    def deliver(self, number):
        self.acknowledged[number] = threading.Event()
        self.acknowledged[number].wait()

    def on_event(self, number):
        threading.Thread(target=self.deliver, args=(number,), daemon=True).start()


sender = Sender()
for number in range(10 ** 6):
    sender.on_event(number)
    if number == 60:
        standing.say_standing()
    time.sleep(0.02 if number < 60 else 0.25)
