"""An importer with a protocol of its own: one line asks for a dump, and what comes is collected until the other side closes."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import file_server
import standing


class Feed:
    def __init__(self, port):
        self.connection = socket.create_connection(('127.0.0.1', port), timeout=60)

    def import_all(self):
        self.connection.sendall(b'DUMP /4000000000\n')
        parts = []
        while True:
            part = self.connection.recv(65536)
            if not part:
                return b''.join(parts)
            parts.append(part)


def main():
    feed = Feed(file_server.start())
    standing.when_grown(30000)
    print(len(feed.import_all()))


main()
