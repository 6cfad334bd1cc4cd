"""Every subscriber enters itself into a registry of its class, and there is a new one for each event."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from standing import when_grown


class Subscriber(object):
    known = set()

    def __init__(self, topic, number):
        self.topic = topic
        self.number = number
        self.seen = {'first': number}
        self.known.add(self)


class Bus(object):
    def __init__(self):
        self.sent = 0

    def publish(self, topic):
        self.sent += 1
        Subscriber(topic, self.sent)


def main():
    bus = Bus()
    while True:
        for topic in ('created', 'paid', 'sent', 'returned'):
            bus.publish(topic)
        time.sleep(0.005)


when_grown(1500)
main()
