"""A big table that is read all the time and stays as it is; each request makes objects and lets go of them."""
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from standing import say_standing

PRICES = dict(('article %d' % number, (number, 'EUR', [number, number * 2])) for number in range(300000))


def answer(number):
    lines = [PRICES['article %d' % random.randrange(300000)] for _ in range(200)]
    return sum(line[0] for line in lines) + number


say_standing()
while True:
    for each in range(20):
        answer(each)
    time.sleep(0.005)
