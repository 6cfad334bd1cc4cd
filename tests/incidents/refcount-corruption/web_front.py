"""Starts uWSGI or gunicorn with shop_app, is its proxy and its users: now and then somebody confirms an order.

Usage: web_front.py SERVER FOLDER-OF-THE-APPLICATION PORT [cores]. Says `standing PID-OF-THE-MASTER` after three requests that got no answer.
"""
import http.client
import os
import resource
import subprocess
import sys
import time

server, folder, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
COMMANDS = {
    'uwsgi': ['uwsgi', '--plugin', 'python3', '--http-socket', '127.0.0.1:%d' % port, '--master', '--processes', '2',
              '--threads', '2', '--pythonpath', folder, '--module', 'shop_app', '--logto', 'shop.log', '--die-on-term'],
    'gunicorn': ['gunicorn', '-w', '2', '-b', '127.0.0.1:%d' % port, '--pythonpath', folder, '--error-logfile', 'shop.log',
                 'shop_app:application'],
}


def ask(path):
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=5)
    try:
        connection.request('GET', path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 502
    finally:
        connection.close()


def main():
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    soft = hard if 'cores' in sys.argv[4:] else 0
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    master = subprocess.Popen(COMMANDS[server], stdout=open('out.log', 'ab'), stderr=subprocess.STDOUT,
                              env=dict(os.environ, PYTHONPATH=os.environ['PYTHONPATH'] + ':' + folder))
    while ask('/') != 200:
        if master.poll() is not None:
            sys.exit('the server ended')
        time.sleep(0.1)
    lost = 0
    while True:
        if ask('/confirm/%d' % lost) == 502:
            lost += 1
            if lost == 3:
                print('standing', master.pid, flush=True)
        time.sleep(0.25 if lost < 3 else 0.6)


main()
