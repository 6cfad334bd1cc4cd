"""Loads its shards one after the other when it starts: few large items, and an end to them."""
import os
import time

SHARDS = {}


def read_shard(number):
    time.sleep(0.5)
    return bytearray(b'%d' % (number % 10) * 800000)


def load():
    for number in range(200):
        SHARDS['shard-%d' % number] = read_shard(number)
        if number == 6:
            print('standing %d' % os.getpid(), flush=True)


load()
