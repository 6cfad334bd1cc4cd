"""A catalogue job that walks from each product's category to the root. Two categories were made each other's parent by
an import, so one walk never ends. It counts its steps, which makes a number grow for ever."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


class Category:
    __slots__ = ('name', 'parent')

    def __init__(self, name, parent=None):
        self.name = name
        self.parent = parent


def path_to_root(category):
    steps = 0
    node = category
    while node is not None:
        steps += 1
        node = node.parent
    return steps


def build():
    root = Category('all')
    level = [Category('c%d' % n, root) for n in range(50)]
    leaves = [Category('l%d' % n, level[n % 50]) for n in range(1000)]
    level[7].parent = level[8]
    level[8].parent = level[7]
    return leaves


def main():
    leaves = build()
    depth = {}
    standing.when_inside('path_to_root')
    for leaf in leaves:
        depth[leaf.name] = path_to_root(leaf)
    print('deepest', max(depth.values()))


if __name__ == '__main__':
    main()
