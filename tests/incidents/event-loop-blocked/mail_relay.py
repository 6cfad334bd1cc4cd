"""An eventlet service. A green thread delivers mail and pauses with the sleep of the standard library, which is not patched."""
import os
import sys
import time

import eventlet

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


class Relay:
    def __init__(self):
        self.queue = ['a', 'b', 'c'] * 1000

    def deliver(self, mail):
        for attempt in range(10):
            if mail.endswith('@'):
                return True
            time.sleep(20)
        return False

    def run(self):
        while self.queue:
            eventlet.sleep(0.05)
            self.deliver(self.queue.pop())


def echo(client, address):
    while True:
        data = client.recv(4096)
        if not data:
            return
        client.sendall(data)


listener = eventlet.listen(('127.0.0.1', 0))
eventlet.spawn(eventlet.serve, listener, echo)
standing.when_inside('deliver')
relay = eventlet.spawn(Relay().run)
relay.wait()
