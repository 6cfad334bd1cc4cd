"""A solver that relaxes a grid until it changes no more: a while loop without any counter, that converges."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def sweep(grid):
    worst = 0.0
    size = len(grid)
    for y in range(1, size - 1):
        row, above, below = grid[y], grid[y - 1], grid[y + 1]
        for x in range(1, size - 1):
            value = (row[x - 1] + row[x + 1] + above[x] + below[x]) / 4
            change = abs(value - row[x])
            row[x] = value
            if change > worst:
                worst = change
    return worst


def relax(grid, tolerance):
    while sweep(grid) > tolerance:
        pass
    return grid


def main():
    size = 150
    grid = [[0.0] * size for _ in range(size)]
    grid[0] = [100.0] * size
    standing.when_inside('relax')
    relax(grid, 1e-9)


main()
