"""A parent whose pool of processes works on small tasks; the parent waits for their results."""
import multiprocessing
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def task(number):
    return sum(n * n % 7 for n in range(number % 1000 * 200))


def main():
    with multiprocessing.Pool(2) as pool:
        for turn in range(10 ** 6):
            pool.map(task, range(turn, turn + 200))
            if turn == 2:
                standing.say_standing()


if __name__ == '__main__':
    multiprocessing.set_start_method('fork')
    main()
