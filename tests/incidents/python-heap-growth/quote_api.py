"""A price service that remembers the answer of every request under the request's own id: nobody asks for it again."""
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from standing import when_grown

ANSWERS = {}


class Quote(object):
    def __init__(self, request_id, symbol, price):
        self.request_id = request_id
        self.symbol = symbol
        self.price = price
        self.lines = ['%s %d' % (symbol, price), 'tax %d' % (price // 5)]


def answer(request_id, symbol):
    quote = ANSWERS.get(request_id)
    if quote is None:
        quote = Quote(request_id, symbol, random.randrange(100, 90000))
        ANSWERS[request_id] = quote
    return quote


def serve():
    number = 0
    while True:
        for symbol in ('ACME', 'INIT', 'HOOL'):
            number += 1
            answer('req-%d-%d' % (os.getpid(), number), symbol)
        time.sleep(0.004)


when_grown(1500)
serve()
