"""A worker thread asks a ledger server over its own protocol. The first query was answered, the second never is; the main
thread waits for the worker."""
from __future__ import print_function

import os
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import silent_peer
import standing


class Ledger(object):
    def __init__(self, address):
        self.sock = socket.create_connection(address)

    def query(self, text):
        data = text.encode()
        self.sock.sendall(struct.pack('>I', len(data)) + data)
        size, = struct.unpack('>I', self.receive(4))
        return self.receive(size)

    def receive(self, size):
        data = b''
        while len(data) < size:
            piece = self.sock.recv(size - len(data))
            if not piece:
                raise EOFError('ledger closed the connection')
            data += piece
        return data


def book(ledger, accounts, totals):
    for account in accounts:
        totals[account] = ledger.query('balance of %s' % account)


def main():
    ledger = Ledger(silent_peer.start([struct.pack('>I', 3) + b'100']))
    totals = {}
    worker = threading.Thread(target=book, args=(ledger, ['alice', 'bob', 'carol'], totals), name='booking')
    worker.start()
    while len(totals) < 1:
        pass
    standing.when_inside('receive', worker.ident)
    worker.join()


main()
