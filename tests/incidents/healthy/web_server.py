"""Runs a real application server on a free port, keeps it busy from here, and says which processes it has.

    web_server.py gunicorn|gthread|gevent|uwsgi|uwsgi-threads [idle]
"""
import http.client
import os
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
GUNICORN = ['/usr/bin/gunicorn', '--chdir', HERE, '--log-level', 'warning', 'shop_wsgi:application', '-w', '2', '-b']
UWSGI = ['/usr/bin/uwsgi', '--plugin', 'python3', '--chdir', HERE, '--module', 'shop_wsgi', '--master', '--processes', '2',
         '--need-app', '--disable-logging', '--die-on-term']
SERVERS = {
    'gunicorn': lambda address: GUNICORN + [address],
    'gthread': lambda address: GUNICORN + [address, '-k', 'gthread', '--threads', '4'],
    'gevent': lambda address: GUNICORN + [address, '-k', 'gevent'],
    'uwsgi': lambda address: UWSGI + ['--http-socket', address],
    'uwsgi-threads': lambda address: UWSGI + ['--http-socket', address, '--enable-threads', '--threads', '4', '--thunder-lock'],
}


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def ask(port):
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=10)
    connection.request('GET', '/basket')
    body = connection.getresponse().read()
    connection.close()
    return body


def keep_asking(port, answered):
    while True:
        try:
            ask(port)
            answered.set()
        except OSError:
            time.sleep(0.05)


def children(pid):
    with open('/proc/%d/task/%d/children' % (pid, pid)) as file:
        return [int(word) for word in file.read().split()]


def main(kind, load='busy'):
    port = free_port()
    server = subprocess.Popen(SERVERS[kind]('127.0.0.1:%d' % port), stdin=subprocess.DEVNULL)
    answered = threading.Event()
    if load == 'busy':
        for _ in range(3):
            threading.Thread(target=keep_asking, args=(port, answered), daemon=True).start()
        answered.wait()
    else:
        while not answered.is_set():
            try:
                ask(port)
                answered.set()
            except OSError:
                time.sleep(0.05)
    workers = children(server.pid)
    print('standing %d' % workers[0], flush=True)
    print('master %d' % server.pid, flush=True)
    server.wait()


main(*sys.argv[1:])
