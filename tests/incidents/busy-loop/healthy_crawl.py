"""Walks a graph by a list that grows while it is gone over: each step finds something new, and it ends when all was seen."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def neighbours(page):
    return [(page * 3 + step) % 40000003 for step in (1, 7)]


def walk(start):
    pages, seen = [start], {start}
    for number, page in enumerate(pages):
        for other in neighbours(page):
            if other not in seen:
                seen.add(other)
                pages.append(other)
    return len(pages)


standing.when_inside('walk')
walk(1)
