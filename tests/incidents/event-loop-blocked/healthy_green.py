"""An eventlet server that answers clients of its own: everything in it gives way."""
import os
import sys

import eventlet

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def serve(client, address):
    while True:
        data = client.recv(4096)
        if not data:
            return
        client.sendall(str(sum(data[at % len(data)] for at in range(2000))).encode())


def ask(port):
    client = eventlet.connect(('127.0.0.1', port))
    while True:
        client.sendall(b'count me')
        client.recv(4096)


listener = eventlet.listen(('127.0.0.1', 0))
eventlet.spawn(eventlet.serve, listener, serve)
for _ in range(3):
    eventlet.spawn(ask, listener.getsockname()[1])
eventlet.spawn_after(0.8, standing.say_standing)
eventlet.sleep(3600)
