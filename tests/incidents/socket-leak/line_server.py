"""A server that forgets to close a connection when its client has gone: it only stops listening to it.

    line_server.py COUNT      says `standing PID` when so many clients came and went; more come all the time
"""
import os
import selectors
import socket
import sys
import time


class LineServer:
    def __init__(self, listener):
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ, self.accept)
        self.sessions = {}
        self.gone = 0

    def accept(self, listener):
        client, address = listener.accept()
        self.sessions[address] = client
        self.selector.register(client, selectors.EVENT_READ, self.read)

    def read(self, client):
        data = client.recv(4096)
        if data:
            client.sendall(b"ok\n")
        else:
            self.selector.unregister(client)
            self.gone += 1


def visit(address):
    while True:
        with socket.create_connection(address) as client:
            client.sendall(b"put\n")
            client.recv(10)
        time.sleep(0.04)


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    if os.fork() == 0:
        visit(listener.getsockname())
    server = LineServer(listener)
    told = False
    while True:
        for key, _ in server.selector.select():
            key.data(key.fileobj)
        if not told and server.gone >= int(sys.argv[1]):
            told = True
            print("standing %d" % os.getpid(), flush=True)


if __name__ == "__main__":
    main()
