"""A gevent program without a server: a function that was spawned sleeps with the sleep of the standard library."""
import os
import sys
import time

import gevent

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def refresh():
    standing.say_standing()
    time.sleep(120)


def beat():
    while True:
        gevent.sleep(0.1)


gevent.spawn(beat)
gevent.spawn_later(0.3, refresh)
gevent.sleep(3600)
