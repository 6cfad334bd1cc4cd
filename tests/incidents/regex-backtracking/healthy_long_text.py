"""Finds all words of a very long text in one call: that takes its time because there is so much of it."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def count_words(text):
    return len(re.findall(r'[a-z]+ing\b', text))


standing.say_standing()
while True:
    count_words('the king was bringing nothing but a little string ' * 4000000)
