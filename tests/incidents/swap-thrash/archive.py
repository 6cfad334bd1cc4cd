"""Keeps answers as objects of many kinds, all of them in use in turn. It is put under a memory limit while it waits."""
import os
import sys

count = int(sys.argv[1]) * 900
sys.stdin.readline()
ANSWERS = {number: ('answer %d' % number) * 60 for number in range(count)}
print('standing %d' % os.getpid(), flush=True)
while True:
    longest = 0
    for number, answer in ANSWERS.items():
        longest = max(longest, len(answer) + answer.count('9'))
