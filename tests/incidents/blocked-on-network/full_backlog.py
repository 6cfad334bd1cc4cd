"""A reporter that connects to a collector whose queue of connections is full: nobody answers the request to connect."""
import os
import select
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def collector_that_is_stuck():
    listener = socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen(0)
    queued = []
    while True:
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(listener.getsockname())
        queued.append(sock)
        if not select.select([], [sock], [], 0.3)[1]:
            return listener, queued


class Reporter:
    def __init__(self, address):
        self.address = address
        self.sock = None

    def open(self):
        self.sock = socket.create_connection(self.address)

    def report(self, figures):
        if self.sock is None:
            self.open()
        self.sock.sendall(repr(figures).encode())


def main():
    listener, queued = collector_that_is_stuck()
    reporter = Reporter(listener.getsockname())
    standing.when_inside('create_connection')
    reporter.report({'orders': 12})


main()
