"""A chat hub with many clients that talk all the time, near its limit, or with clients that come and go.

    healthy_hub.py crowd LIMIT      nine tenths of the limit are clients in use
    healthy_hub.py visits LIMIT     clients come and go in bursts; some log files are open all the time
"""
import os
import resource
import selectors
import socket
import sys
import tempfile
import threading
import time


def serve(listener):
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                client, _ = listener.accept()
                selector.register(client, selectors.EVENT_READ)
                continue
            data = key.fileobj.recv(1000)
            if data:
                key.fileobj.sendall(data)
            else:
                selector.unregister(key.fileobj)
                key.fileobj.close()


def crowd(address, number):
    talkers = [socket.create_connection(address) for _ in range(number)]
    os.write(1, b"crowd\n")
    while True:
        for talker in talkers:
            talker.sendall(b"hello")
            talker.recv(1000)
        time.sleep(0.05)


def visits(address, number):
    while True:
        visitors = [socket.create_connection(address) for _ in range(number)]
        for visitor in visitors:
            visitor.sendall(b"hello")
            visitor.recv(1000)
            time.sleep(0.004)
        for visitor in visitors:
            visitor.close()


def main():
    limit = int(sys.argv[2])
    listener = socket.create_server(("127.0.0.1", 0), backlog=200)
    address = listener.getsockname()
    ready, told = os.pipe()
    if os.fork() == 0:
        os.close(listener.fileno())
        os.dup2(told, 1)
        if sys.argv[1] == "crowd":
            crowd(address, int(limit * 0.9))
        os.write(1, b"visits\n")
        visits(address, 60)
    os.close(told)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    logs = [open(os.path.join(tempfile.mkdtemp(), "log"), "a") for _ in range(12)]
    threading.Thread(target=serve, args=(listener,), name="hub").start()
    os.read(ready, 100)
    print("standing %d" % os.getpid(), flush=True)
    while True:
        time.sleep(0.5)
        for log in logs:
            log.write("tick\n")
            log.flush()


if __name__ == "__main__":
    main()
