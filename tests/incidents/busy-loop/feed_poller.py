"""A feed reader with non-blocking sockets that asks each again and again instead of waiting until one is readable."""
import logging
import os
import socket
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


class Feed:
    def __init__(self, sock):
        self.sock = sock
        self.sock.setblocking(False)
        self.parts = []

    def poll(self):
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return None
        self.parts.append(data)
        return data


def collect(feeds, wanted):
    got = 0
    while got < wanted:
        for feed in feeds:
            if feed.poll():
                got += 1
    return got


def main():
    logging.basicConfig(filename=os.path.join(tempfile.mkdtemp(prefix='feed-'), 'feed.log'), level=logging.INFO)
    pairs = [socket.socketpair() for _ in range(5)]
    feeds = [Feed(near) for near, _ in pairs]
    reader = threading.Thread(target=collect, args=(feeds, 100), name='collector')
    reader.start()
    pairs[0][1].sendall(b'one update')
    standing.when_inside('collect', reader.ident)
    reader.join()


main()
