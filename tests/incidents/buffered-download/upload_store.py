"""A server that keeps what its clients upload in memory. That is no download, whatever else it is."""
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def receive(peer):
    body = bytearray()
    while len(body) < 4 * 10 ** 9:
        body += peer.recv(65536)


def upload(port):
    import time
    client = socket.create_connection(('127.0.0.1', port))
    while True:
        client.sendall(bytes(200000))
        time.sleep(0.01)


def main():
    listener = socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen(5)
    if os.fork() == 0:
        upload(listener.getsockname()[1])
    standing.when_grown(30000)
    while True:
        peer, _ = listener.accept()
        threading.Thread(target=receive, args=(peer,), daemon=True).start()


main()
