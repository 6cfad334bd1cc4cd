"""A service with a pool of ten connections that its upstream closed while nothing was asked: the next use replaces them.

    healthy_pool.py      says `standing PID` when all ten are closed by the other side
"""
import os
import socket
import time


def upstream(listener):
    clients = []
    while len(clients) < 10:
        client, _ = listener.accept()
        client.recv(100)
        client.sendall(b"answer")
        clients.append(client)
    for client in clients:
        client.close()
    while True:
        time.sleep(60)


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    if os.fork() == 0:
        upstream(listener)
    address = listener.getsockname()
    listener.close()
    pool = [socket.create_connection(address) for _ in range(10)]
    for connection in pool:
        connection.sendall(b"ask")
        connection.recv(100)
    for connection in pool:
        # Waits for the end without taking it: the connection stays as its pool would leave it.
        connection.recv(1, socket.MSG_PEEK)
    print("standing %d" % os.getpid(), flush=True)
    while True:
        time.sleep(5)


if __name__ == "__main__":
    main()
