"""A gevent program: one greenlet asks a price service and waits for an answer without a limit, another one ticks on."""
import os
import sys

import gevent
from gevent import monkey

monkey.patch_all()

import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import silent_peer
import standing


def fetch_quote(address):
    return urllib.request.urlopen('http://%s:%d/quote' % address).read()


def tick():
    for _ in range(5):
        gevent.sleep(0.05)
    standing.say_standing()
    while True:
        gevent.sleep(1)


address = silent_peer.start()
gevent.joinall([gevent.spawn(fetch_quote, address), gevent.spawn(tick)])
