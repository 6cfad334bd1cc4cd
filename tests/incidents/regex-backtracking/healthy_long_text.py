"""Looks for a word in a very long text in one call: that takes its time because there is so much of it."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def has_word(text):
    return re.search(r'[a-z]+ingly\b', text) is not None


novel = 'the king was bringing nothing but a little string ' * 2000000
standing.say_standing()
while True:
    has_word(novel)
