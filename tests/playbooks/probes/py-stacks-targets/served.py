"""A WSGI application whose requests never end; it says so as soon as as many are in it as its server has threads."""
import os
import sys
import threading
import time

inside = []
guard = threading.Lock()


def ticks():
    while True:
        time.sleep(1)


def answers():
    with guard:
        inside.append(threading.current_thread())
        if len(inside) == int(os.environ['REQUESTS']):
            os.write(1, ('standing %d\n' % os.getpid()).encode())
    time.sleep(1000)


def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    answers()
    return [b'']


ticker = threading.Thread(target=ticks, name='ticker')
ticker.daemon = True
ticker.start()
