"""A pre-fork server: the master only looks after its workers, each of which takes connections from the same socket."""
import os
import select
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def work(listener):
    while True:
        peer, _ = listener.accept()
        peer.sendall(b'hello\n')
        peer.close()


def main():
    listener = socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen(20)
    wake, _ = os.pipe()
    for _ in range(3):
        if os.fork() == 0:
            work(listener)
    standing.say_standing()
    while True:
        select.select([wake], [], [], 1)
        os.waitpid(-1, os.WNOHANG)


main()
