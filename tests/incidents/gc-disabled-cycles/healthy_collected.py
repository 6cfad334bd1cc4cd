"""Makes cycles all the time and leaves them to the collector, which is set as usual."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from standing import say_standing


class Node(object):
    def __init__(self, parent):
        self.parent = parent
        self.children = []


def build():
    root = Node(None)
    root.children = [Node(root) for _ in range(20)]


for _ in range(20000):
    build()
say_standing()
while True:
    for _ in range(20):
        build()
    time.sleep(0.005)
