"""A file server in a process of its own: it answers each HTTP request with a file of a given size, at a given speed."""
import os
import re
import signal
import socket
import threading
import time

BLOCK = bytes(range(256)) * 256


def start(bytes_per_second=20e6):
    """Starts it and gives its port. `/1000` asks for a thousand bytes; it ends with the process that started it."""
    listener = socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen(50)
    port = listener.getsockname()[1]
    parent = os.getpid()
    if os.fork() == 0:
        try:
            threading.Thread(target=end_with, args=(parent,), daemon=True).start()
            while True:
                peer, _ = listener.accept()
                threading.Thread(target=serve, args=(peer, bytes_per_second), daemon=True).start()
        finally:
            os._exit(0)
    listener.close()
    return port


def end_with(parent):
    while os.getppid() == parent:
        time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGKILL)


def serve(peer, bytes_per_second):
    try:
        while True:
            asked = peer.recv(65536)
            if not asked:
                return
            size = int(re.search(rb'/(\d+)', asked).group(1))
            peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % size)
            begin, sent = time.monotonic(), 0
            while sent < size:
                part = BLOCK[: size - sent]
                peer.sendall(part)
                sent += len(part)
                time.sleep(max(0, begin + sent / bytes_per_second - time.monotonic()))
    except OSError:
        pass
