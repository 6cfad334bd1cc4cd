"""Two threads that wait for each other's locks, and others that hold or wait in other ways; says so and stays."""
from __future__ import print_function

import contextlib
import os
import sys
import threading
import time

first, second, third = threading.Lock(), threading.Lock(), threading.Lock()
recursive = threading.RLock()
condition = threading.Condition()
got = {'first': threading.Event(), 'second': threading.Event(), 'recursive': threading.Event()}


class Managed(object):
    def __enter__(self):
        return self

    def __exit__(self, *why):
        pass


def takes_first_then_second():
    with first:
        got['first'].set()
        got['second'].wait()
        for _ in range(3):
            with Managed():
                second.acquire()


def takes_second_then_first():
    with second:
        got['second'].set()
        got['first'].wait()
        try:
            with first:
                pass
        finally:
            pass


def keeps_recursive():
    with recursive, recursive:
        got['recursive'].set()
        time.sleep(1000)


def wants_recursive():
    got['recursive'].wait()
    with recursive:
        pass


def in_condition():
    with condition:
        inside.set()
        condition.wait_for(lambda: False) if hasattr(condition, 'wait_for') else condition.wait()


def with_condition():
    inside.wait()
    with condition:
        holding.set()
        time.sleep(1000)


def wants_condition():
    holding.wait()
    with condition:
        pass


def after_with():
    for _ in range(2):
        with Managed():
            pass
    time.sleep(1000)


@contextlib.contextmanager
def guarded():
    with third:
        try:
            guarding.set()
            yield
        finally:
            pass


def guards():
    with guarded():
        time.sleep(1000)


def wants_guarded():
    guarding.wait()
    third.acquire()


def spins_inside():
    count = 0
    with Managed():
        while True:
            count += 1


inside, holding, guarding = threading.Event(), threading.Event(), threading.Event()


def start(target):
    thread = threading.Thread(target=target, name=target.__name__)
    thread.daemon = True
    thread.start()


for target in (takes_first_then_second, takes_second_then_first, keeps_recursive, wants_recursive, in_condition,
               with_condition, wants_condition, after_with, guards, wants_guarded):
    start(target)


def in_call(name):
    """The line in which the function `name` is in the thread of that name, 0 when it is in none."""
    for ident, frame in sys._current_frames().items():
        thread = threading._active.get(ident)
        if thread is not None and (getattr(thread, '_name', None) or thread.getName()) == name:
            while frame is not None:
                if frame.f_code.co_name == name:
                    return frame.f_lineno
                frame = frame.f_back
    return 0


def standing():
    source = open(__file__.replace('.pyc', '.py')).read().split('\n')
    for name, text in (('takes_first_then_second', 'second.acquire()'), ('takes_second_then_first', 'with first:'),
                       ('keeps_recursive', 'time.sleep'), ('wants_recursive', 'with recursive:'),
                       ('in_condition', 'condition.wait'), ('with_condition', 'time.sleep'),
                       ('wants_condition', 'with condition:'), ('after_with', 'time.sleep'), ('guards', 'time.sleep'),
                       ('wants_guarded', 'third.acquire()')):
        if text not in source[in_call(name) - 1]:
            return False
    return True


def asleep():
    """Whether all threads but this one wait in the kernel (proc_pid_stat(5))."""
    own = os.readlink('/proc/self')  # not os.getpid(): /proc may be another pid namespace's
    for tid in os.listdir('/proc/self/task'):
        with open('/proc/self/task/%s/stat' % tid) as stat:
            if tid != own and stat.read().rpartition(')')[2].split()[0] != 'S':
                return False
    return True


calm = 0
while calm < 5:
    time.sleep(0.01)
    calm = calm + 1 if standing() and asleep() else 0
start(spins_inside)
while not in_call('spins_inside'):
    time.sleep(0.01)
print('standing', os.getpid())
time.sleep(1000)
