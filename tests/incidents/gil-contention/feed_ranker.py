"""A pool ranks feeds: parsing, scoring and sorting in different functions, all in Python, in four threads of one process."""
import os
import random
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def parse(seed):
    generator = random.Random(seed)
    return [{'id': n, 'words': [generator.randrange(1000) for _ in range(20)]} for n in range(400)]


def score(entry, wanted):
    return sum(1.0 / (1 + abs(word - want)) for word in entry['words'] for want in wanted)


def rank(seed):
    best = []
    for turn in range(10 ** 6):
        entries = parse(seed + turn)
        best = sorted(entries, key=lambda entry: score(entry, (3, 5, 8)))[:10]
    return best


with ThreadPoolExecutor(4) as pool:
    jobs = [pool.submit(rank, seed) for seed in range(4)]
    standing.say_standing()
    for job in jobs:
        job.result()
