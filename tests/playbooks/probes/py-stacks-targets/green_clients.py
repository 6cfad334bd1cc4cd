"""Clients of a server that never answers: green_clients.py gevent|eventlet; says so when all wait."""
import os
import sys

if sys.argv[1] == 'gevent':
    import gevent
    from gevent import monkey
    monkey.patch_all()
    spawn = gevent.spawn
    pause = gevent.sleep
    Timeout = gevent.Timeout
else:
    import eventlet
    eventlet.monkey_patch()
    spawn = eventlet.spawn
    pause = eventlet.sleep
    Timeout = eventlet.Timeout

import socket


def read_answer(connection):
    return connection.recv(1000)


def ask(address):
    connection = socket.create_connection(address)
    connection.sendall(b'question')
    return read_answer(connection)


def by_socket(address):
    connection = socket.create_connection(address, timeout=400)
    connection.sendall(b'question')
    connection.recv(1000)


def by_block(address):
    connection = socket.create_connection(address)
    connection.sendall(b'question')
    with Timeout(500):
        connection.recv(1000)


def serve(listener):
    while True:
        kept.append(listener.accept())


kept = []
listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen(100)
server = spawn(serve, listener)
clients = [spawn(each, listener.getsockname()) for each in [ask] * 20 + [by_socket, by_block]]
while len(kept) < 22:
    pause(0.01)
sys.stdout.write('standing %d\n' % os.getpid())
sys.stdout.flush()
pause(1000)
