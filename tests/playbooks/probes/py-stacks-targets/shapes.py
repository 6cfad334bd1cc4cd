# -*- coding: utf-8 -*-
"""Threads that each stand in a stack of another shape: generators, C callbacks, deep recursion, strange names."""
from __future__ import print_function

import os
import re
import sys
import threading
import time

waiting = threading.Semaphore(0)
threads = []


def stand():
    """Where each thread ends up."""
    waiting.release()
    time.sleep(1000)


def shape(function):
    threads.append(function)
    return function


@shape
def by_generator():
    def inner():
        yield 1
        stand()

    def outer():
        for value in inner():
            yield value

    for _ in outer():
        pass


@shape
def by_sort_key():
    sorted([3, 1], key=lambda value: stand())


@shape
def by_regular_expression():
    def replaced(match):
        stand()
    re.sub('b', replaced, 'abc')


@shape
def by_ctypes():
    try:
        import ctypes
    except ImportError:
        return stand()
    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(lambda one, other: stand() or 0)
    array = (ctypes.c_int * 2)(2, 1)
    ctypes.CDLL(None).qsort(array, 2, 4, callback)


@shape
def by_initialiser():
    class Thing(object):
        def __init__(self):
            self.value

        def __getattr__(self, name):
            return stand()
    Thing()


@shape
def by_class_body():
    class Body(object):
        stand()


@shape
def by_comprehension():
    return [stand() for _ in range(1)]


@shape
def by_closing():
    class Closing(object):
        def __del__(self):
            stand()
    Closing()


def recursive(depth):
    if depth:
        return recursive(depth - 1)
    stand()


@shape
def by_recursion():
    recursive(DEPTH)


@shape
def by_deepest_recursion():
    # Deeper than is read.
    recursive(DEEPEST)


@shape
def by_strange_file():
    names = {'stand': stand}
    name = u'caf\u00e9' if sys.version_info > (3,) else 'cafe'
    exec(compile('def %s():\n  stand()\n%s()' % (name, name), STRANGE_FILE, 'exec'), names)


@shape
def by_strange_name():
    code = stand_too.__code__
    if hasattr(code, 'replace'):
        changes = {'co_name': STRANGE_NAME}
        if hasattr(code, 'co_qualname'):
            changes['co_qualname'] = STRANGE_NAME
        stand_too.__code__ = code.replace(**changes)
    stand_too()


def stand_too():
    stand()


@shape
def by_long_lines():
    # A jump over many lines, backwards too, and an argument list over several.
    value = (
        1 +
        2) if threads else 0























































































































































































    def late(*values):
        stand()
    late(
        value,
        [value for value in (
            1, 2)],
    )


if sys.version_info >= (3, 6):
    exec('''
@shape
def by_coroutine():
    import asyncio
    async def leaf():
        stand()
    async def branch():
        async for value in numbers():
            await leaf()
    async def numbers():
        yield 1
    asyncio.new_event_loop().run_until_complete(branch())
''')

STRANGE_FILE = '/srv/my app/a "b"\\c\n(def at 3)\t'
STRANGE_FILE += '\u4e2d\U0001f600\udc80\u202e.py' if sys.version_info > (3,) else '.py'
STRANGE_NAME = 'a b\n  stack 1 of 1:7  [signal handler 9]\x1b\u4e2d'
DEPTH, DEEPEST = 700, 6000
sys.setrecursionlimit(100000)
threading.stack_size(512 << 20)
for function in threads:
    thread = threading.Thread(target=function, name=function.__name__)
    thread.daemon = True
    thread.start()
for _ in threads:
    waiting.acquire()
print('standing', os.getpid())
time.sleep(1000)
