"""Looks for a shard that is allowed, going round all of them with itertools: none is, so C code goes round
for ever. It never lets go of the interpreter, so no other thread could say so."""
import itertools


class Ring:
    def __init__(self, shards, drained):
        self.turn = itertools.cycle(shards)
        self.allowed = set(shards) - set(drained)

    def next_shard(self):
        return next(filter(self.allowed.__contains__, self.turn))


def main():
    shards = ['shard-%02d' % n for n in range(16)]
    ring = Ring(shards, drained=shards)
    print('picking', flush=True)
    print(ring.next_shard())


main()
