"""A worker that waits for jobs from a broker on a connection of its own: asks for the next one and gets none for long."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


class Broker:
    def __init__(self, address):
        self.sock = socket.create_connection(address)
        self.lines = self.sock.makefile('rb')

    def next_job(self):
        self.sock.sendall(b'*3\r\n$5\r\nBLPOP\r\n$4\r\njobs\r\n$1\r\n0\r\n')
        return self.lines.readline()


def broker(listener):
    peer, _ = listener.accept()
    peer.recv(1000)
    peer.sendall(b'+job one\r\n')
    peer.recv(1000)
    peer.recv(1000)


def main():
    listener = socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen(1)
    if os.fork() == 0:
        broker(listener)
        os._exit(0)
    address = listener.getsockname()
    listener.close()
    jobs = Broker(address)
    jobs.next_job()
    standing.when_inside('next_job')
    while True:
        jobs.next_job()


main()
