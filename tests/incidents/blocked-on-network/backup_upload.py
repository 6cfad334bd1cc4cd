"""Uploads a backup to a store that has stopped reading: once the buffers are full, sending waits for ever."""
from __future__ import print_function

import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def store_that_does_not_read():
    listener = socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen(1)
    if os.fork() == 0:
        peer, _ = listener.accept()
        while os.getppid() != 1:
            time.sleep(0.1)
        os._exit(0)
    return listener.getsockname()


def upload(address, chunks):
    sock = socket.create_connection(address)
    for chunk in chunks:
        sock.sendall(chunk)


def main():
    address = store_that_does_not_read()
    standing.when_inside('upload', for_seconds=1.0)
    upload(address, (b'x' * 65536 for _ in range(10 ** 6)))


main()
