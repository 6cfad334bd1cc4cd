"""A farm that ends its whole process group when one of it is interrupted; the worker ignores the group's signal itself."""
import os
import signal
import time


def on_interrupt(signum, frame):
    signal.signal(signal.SIGUSR2, on_interrupt)
    os.write(1, b'standing %d\n' % os.getpid())
    while True:
        os.kill(0, signal.SIGQUIT)
        time.sleep(0.25)


def work(number):
    if number == 0:
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGUSR2)
    while True:
        time.sleep(1)


signal.signal(signal.SIGQUIT, lambda signum, frame: None)
signal.signal(signal.SIGUSR2, on_interrupt)
for number in range(2):
    if os.fork() == 0:
        work(number)
while True:
    time.sleep(1)
