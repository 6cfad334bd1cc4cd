"""A server of green threads, asked by clients of its own: green_server.py gevent|eventlet."""
import os
import sys

KIND = sys.argv[1]
if KIND == 'gevent':
    from gevent import monkey
    monkey.patch_all()
    import gevent
    spawn = gevent.spawn
else:
    import eventlet
    eventlet.monkey_patch()
    spawn = eventlet.spawn
import socket
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def handle(connection):
    while True:
        line = connection.recv(100)
        if not line:
            break
        connection.sendall(line[::-1])


def accept(listener):
    while True:
        connection, _ = listener.accept()
        spawn(handle, connection)


def ask(address):
    connection = socket.create_connection(address)
    while True:
        connection.sendall(b'ping\n')
        connection.recv(100)
        time.sleep(0.01)


def main():
    listener = socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen(128)
    spawn(accept, listener)
    for _ in range(30):
        spawn(ask, listener.getsockname())
    time.sleep(0.3)
    standing.say_standing()
    while True:
        time.sleep(1)


main()
