"""Number crunching in pure Python that gets on: counts primes of a range with trial division. Says nothing for minutes."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def is_prime(number):
    divisor = 3
    while divisor * divisor <= number:
        if number % divisor == 0:
            return False
        divisor += 2
    return True


def count_primes(low, high):
    found = 0
    for number in range(low | 1, high, 2):
        if is_prime(number):
            found += 1
    return found


def main():
    standing.when_inside('count_primes')
    print(count_primes(10 ** 10, 10 ** 10 + 10 ** 7))


main()
