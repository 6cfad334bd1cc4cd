"""A reader of logs that looks up the name of each host with the old interface, in a thread. Nobody answers."""
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import name_server
import standing


def annotate(hosts):
    for host in hosts:
        try:
            print(host, socket.gethostbyname(host))
        except OSError:
            print(host, '-')


name_server.isolate()
name_server.start(None)
worker = threading.Thread(target=annotate, args=(['host%d.example.com' % number for number in range(1000)],))
worker.start()
standing.when_inside('annotate', worker.ident)
worker.join()
