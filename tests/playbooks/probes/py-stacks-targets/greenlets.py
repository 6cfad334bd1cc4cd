"""Greenlets of several types that are suspended, one that is dead and one that runs; says so and stays."""
import os
import sys
import time

import greenlet


def inner(parent, depth):
    if depth:
        return inner(parent, depth - 1)
    parent.switch()


def through_c(parent):
    [1].sort(key=lambda each: inner(parent, 2))


class Own(greenlet.greenlet):
    pass


def runs():
    sys.stdout.write('standing %d\n' % os.getpid())
    sys.stdout.flush()
    time.sleep(1000)


def calls():
    kept[-1].switch()


main = greenlet.getcurrent()
kept = [greenlet.greenlet(inner) for _ in range(3)]
for each in kept:
    each.switch(main, 5)
kept += [Own(through_c), Own(through_c)]
for each in kept[3:]:
    each.switch(main)
dead = greenlet.greenlet(len)
dead.switch('')
kept.append(greenlet.greenlet(runs))
calls()
