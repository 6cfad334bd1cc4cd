"""A small WSGI service over a C extension that keeps argument tuples and fills them again. For uWSGI and gunicorn."""
import os

import rowcache

held = []


class Orders:
    def confirm(self, number):
        pair = rowcache.envelope(number)
        held.append(pair)
        return pair


orders = Orders()


def application(environ, start_response):
    path = environ.get('PATH_INFO', '/')
    if path.startswith('/confirm'):
        orders.confirm(path)
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [('%d\n' % os.getpid()).encode()]
