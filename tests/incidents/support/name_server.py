"""Name servers of the process's own: in network and mount namespaces of its own, so that the machine is untouched.

Call `isolate` first, which runs the program again there, and then `start`. It needs root.
"""
import os
import socket
import subprocess
import sys
import tempfile
import time


def isolate():
    """Runs the program once more, in namespaces of its own and with the same pid."""
    if 'ISOLATED' not in os.environ:
        os.environ['ISOLATED'] = '1'
        os.execvp('unshare', ['unshare', '--net', '--mount', sys.executable, '-u'] + sys.argv)


def start(delay, options='', port=53):
    """Brings the loopback up, puts a resolv.conf of its own in place, and answers each question for an address after
    `delay` seconds with 127.0.0.1; never when `delay` is None."""
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(('127.0.0.1', port))
    subprocess.run(['mount', '--make-rprivate', '/'], check=True)
    with tempfile.NamedTemporaryFile('w', suffix='.conf') as conf:
        conf.write('nameserver 127.0.0.1\n%s' % (options + '\n' if options else ''))
        conf.flush()
        os.chmod(conf.name, 0o644)
        subprocess.run(['mount', '--bind', conf.name, os.path.realpath('/etc/resolv.conf')], check=True)
    with tempfile.NamedTemporaryFile('w', suffix='.conf') as switch:
        switch.write('hosts: files dns\n')
        switch.flush()
        os.chmod(switch.name, 0o644)
        subprocess.run(['mount', '--bind', switch.name, '/etc/nsswitch.conf'], check=True)
    parent = os.getpid()
    if os.fork() == 0:
        try:
            serve(server, delay, parent)
        finally:
            os._exit(0)
    server.close()


def serve(server, delay, parent):
    server.settimeout(0.003)
    waiting = []
    while os.getppid() == parent:
        try:
            question, asker = server.recvfrom(2048)
            if delay is not None:
                waiting.append((time.monotonic() + delay, question, asker))
        except socket.timeout:
            pass
        for due in [each for each in waiting if each[0] <= time.monotonic()]:
            waiting.remove(due)
            server.sendto(answer(due[1]), due[2])


def answer(question):
    """127.0.0.1 for a question of type A, no address for any other (RFC 1035)."""
    end = question.index(b'\0', 12) + 5
    address = question[end - 4 : end - 2] == b'\0\1'
    head = question[:2] + b'\x81\x80\0\1' + (b'\0\1' if address else b'\0\0') + b'\0\0\0\0'
    record = b'\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1' if address else b''
    return head + question[12:end] + record
