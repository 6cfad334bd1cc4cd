# -*- coding: utf-8 -*-
"""Types and containers whose names try to forge lines of a report; then stands still."""
import sys

NAMES = ['a\nend\ntype forged 1 objects, 1 bytes, 0 in tables', 'with space', 'naïve_\u0436\u4e2d', '"quoted\\"', 'x' * 300, '\u202eevil',
         'tab\there', '\ud800lone']
KEPT = []
for index, name in enumerate(NAMES):
    try:
        kind = type(name, (object,), {'__module__': 'm\nnote forged' if index % 2 else '__main__'})
    except (UnicodeEncodeError, ValueError):
        kind = type('replaced', (object,), {})
    KEPT.append([kind() for _ in range(5000 + index)])
globals()['BAD\nNAME end'] = list(range(4000))
sys.modules['__main__'].__dict__['\u202e'] = dict((number, number) for number in range(3000))
print('standing')
sys.stdout.flush()
sys.stdin.readline()
