"""A multiplexing server that never takes one peer's bytes: epoll says at once, each time, that they are there."""
import os
import selectors
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


class Mux:
    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.paused = set()

    def add(self, sock):
        self.selector.register(sock, selectors.EVENT_READ)

    def handle(self, sock):
        if sock in self.paused:
            return
        if sock.recv(100) == b'pause':
            self.paused.add(sock)
            sock.sendall(b'paused')

    def run(self):
        while True:
            for key, _ in self.selector.select():
                self.handle(key.fileobj)


def talk(address):
    peer = socket.create_connection(address)
    peer.sendall(b'pause')
    peer.recv(100)
    peer.sendall(b'one more thing')
    peer.recv(100)


def main():
    listener = socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen(1)
    if os.fork() == 0:
        address = listener.getsockname()
        listener.close()
        talk(address)
        os._exit(0)
    peer, _ = listener.accept()
    mux = Mux()
    mux.add(peer)
    standing.when_inside('run')
    mux.run()


main()
