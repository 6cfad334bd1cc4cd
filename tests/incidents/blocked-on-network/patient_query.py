"""A program whose limit for an answer is a quarter of an hour: it stands in poll, as sockets with a timeout do."""
from __future__ import print_function

import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import silent_peer
import standing


def query(connection, text):
    connection.sendall(text)
    return connection.recv(4096)


def main():
    connection = socket.create_connection(silent_peer.start(), timeout=900)
    standing.when_inside('query')
    query(connection, b'SELECT 1;')


main()
