"""Goes through lines of a log with a few patterns, again and again: each match is short, and the lines go by."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing

PATTERNS = [re.compile(text) for text in (r'(\d+)ms', r'user=(\w+)', r'^\S+ \S+ (GET|POST) (\S+)', r'error.*timeout')]


def scan(lines):
    found = {}
    for number in range(10 ** 9):
        line = lines[number % len(lines)]
        for pattern in PATTERNS:
            match = pattern.search(line)
            if match:
                found[pattern.pattern] = found.get(pattern.pattern, 0) + 1
    return found


standing.say_standing()
scan(['10:00:%02d host GET /item/%d user=u%d took %dms' % (n % 60, n, n % 7, n % 90) for n in range(5000)])
