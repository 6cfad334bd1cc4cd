"""One long call of native code that is no regular expression, after many short ones that were."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing

NUMBER = re.compile(r'(\d+)')


def work_out(text):
    highest = max(int(NUMBER.match(word).group(1)) for word in text.split())
    return sum(range(highest * 10 ** 8))


standing.say_standing()
while True:
    work_out(' '.join(str(n) for n in range(1000)))
