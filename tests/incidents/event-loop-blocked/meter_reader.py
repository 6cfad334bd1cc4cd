"""A gevent server that asks meters one after another with a pause of the standard library in between: half a second each time."""
import os
import sys
import time

import gevent
from gevent.server import StreamServer

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def settle():
    time.sleep(0.5)


def read_meter(client, address):
    for _ in range(10 ** 6):
        settle()
        gevent.sleep(0.05)


server = StreamServer(('127.0.0.1', 0), read_meter)
server.start()
client = gevent.socket.create_connection(('127.0.0.1', server.server_port))
gevent.spawn_later(1.5, standing.say_standing)
server.serve_forever()
