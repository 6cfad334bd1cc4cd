"""An HTTP server that serves one client after the other. One client connects and says nothing; the others wait in the queue
of its listening socket."""
from __future__ import print_function

import os
import socket
import sys
import time

try:
    from http.server import BaseHTTPRequestHandler, HTTPServer
except ImportError:
    from BaseHTTPServer import BaseHTTPRequestHandler, HTTPServer

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def clients(address, to_parent):
    """One that is silent and, once it is served, three that ask. Lives until the server ends."""
    silent = socket.create_connection(address)
    asking = []
    for _ in range(3):
        client = socket.create_connection(address)
        client.sendall(b'GET /health HTTP/1.0\r\n\r\n')
        asking.append(client)
    os.write(to_parent, b'.')
    while os.getppid() != 1:
        time.sleep(0.1)
    del silent


def main():
    server = HTTPServer(('127.0.0.1', 0), BaseHTTPRequestHandler)
    address = server.server_address
    from_clients, to_parent = os.pipe()
    if os.fork() == 0:
        server.socket.close()
        try:
            clients(address, to_parent)
        finally:
            os._exit(0)
    os.read(from_clients, 1)
    standing.when_inside('handle_one_request')
    server.serve_forever()


main()
