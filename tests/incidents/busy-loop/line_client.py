"""A client of a line protocol that does not notice that its peer closed: recv gives nothing, at once, for ever."""
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


class LineClient:
    def __init__(self, address):
        self.sock = socket.create_connection(address)
        self.buffer = b''

    def read_line(self):
        while b'\n' not in self.buffer:
            self.buffer += self.sock.recv(4096)
        line, _, self.buffer = self.buffer.partition(b'\n')
        return line

    def ask(self, question):
        self.sock.sendall(question + b'\n')
        return self.read_line()


def serve_once(listener):
    peer, _ = listener.accept()
    peer.recv(100)
    peer.sendall(b'half of an ans')
    peer.close()
    listener.close()


def main():
    listener = socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen(1)
    address = listener.getsockname()
    if os.fork() == 0:
        serve_once(listener)
        os._exit(0)
    listener.close()
    client = LineClient(address)
    standing.when_inside('read_line')
    print(client.ask(b'price of tea'))


main()
