"""Works through numbers and writes the same line for each batch; what it works on goes onward."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def factor(number):
    found, divisor = [], 2
    while divisor * divisor <= number:
        while number % divisor == 0:
            found.append(divisor)
            number //= divisor
        divisor += 1
    return found + [number]


def run(log):
    number = 10 ** 6
    while True:
        batch = [factor(number + step) for step in range(5)]
        number += len(batch)
        log.write('batch done\n')
        log.flush()


standing.say_standing()
with open('batches.log', 'w') as log_file:
    run(log_file)
