"""A Celery worker that waits for tasks, with a Redis of its own as its broker; says the pid of the worker's first process."""
import os
import socket
import subprocess
import sys
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def main():
    port = free_port()
    subprocess.Popen(['redis-server', '--port', str(port), '--bind', '127.0.0.1', '--save', '', '--loglevel', 'warning'],
                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while True:
        try:
            socket.create_connection(('127.0.0.1', port)).close()
            break
        except OSError:
            time.sleep(0.02)
    with open('mail_tasks.py', 'w') as file:
        file.write("from celery import Celery\n\napp = Celery('mail', broker='redis://127.0.0.1:%d/0')\n\n\n"
                   "@app.task\ndef send(address):\n    return address\n" % port)
    worker = subprocess.Popen([sys.executable, '-m', 'celery', '-A', 'mail_tasks', 'worker', '-c', '2', '-l', 'INFO'],
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
                              env=dict(os.environ, C_FORCE_ROOT='1'))
    for line in worker.stderr:
        if ' ready.' in line:
            print('standing %d' % worker.pid, flush=True)
            break
    for line in worker.stderr:
        pass


main()
