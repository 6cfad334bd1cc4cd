"""A comment service. A compiled pattern with a quantifier inside of another one meets a text that it does not fit."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing

WORDS = re.compile(r'^(\w+\s?)*$')


class Comments:
    def __init__(self):
        self.kept = []

    def add(self, text):
        if WORDS.match(text):
            self.kept.append(text)


def main():
    comments = Comments()
    comments.add('thank you')
    standing.say_standing()
    comments.add('thisisaveryveryverylongwordwithoutanyspaceinitatall!')


main()
