"""Asks a peer for prices and waits for an answer that never comes, without a time limit."""
import socket
import sys
import threading


def silent_peer(server):
    """Accepts, reads the question, and says nothing."""
    connection, _ = server.accept()
    connection.recv(1024)
    threading.Event().wait()


def read_prices(connection):
    connection.sendall(b"GET prices\n")
    print("symptom stands", flush=True)
    return connection.makefile().readline()


def main():
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=silent_peer, args=(server,), daemon=True).start()
    connection = socket.create_connection(server.getsockname())
    print(read_prices(connection))


if __name__ == "__main__":
    sys.exit(main())
