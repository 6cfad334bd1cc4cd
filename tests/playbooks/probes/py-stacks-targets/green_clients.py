"""Clients of a server that never answers: green_clients.py gevent|eventlet; says so when all wait."""
import os
import sys

if sys.argv[1] == 'gevent':
    import gevent
    from gevent import monkey
    monkey.patch_all()
    spawn = gevent.spawn
    pause = gevent.sleep
else:
    import eventlet
    eventlet.monkey_patch()
    spawn = eventlet.spawn
    pause = eventlet.sleep

import socket


def read_answer(connection):
    return connection.recv(1000)


def ask(address):
    connection = socket.create_connection(address)
    connection.sendall(b'question')
    return read_answer(connection)


def serve(listener):
    while True:
        kept.append(listener.accept())


kept = []
listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen(100)
server = spawn(serve, listener)
clients = [spawn(ask, listener.getsockname()) for _ in range(20)]
while len(kept) < 20:
    pause(0.01)
sys.stdout.write('standing %d\n' % os.getpid())
sys.stdout.flush()
pause(1000)
