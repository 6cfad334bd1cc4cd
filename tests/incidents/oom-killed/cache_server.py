"""A server whose helper keeps everything that it ever computed. The helper is killed; the server goes on without it."""
import multiprocessing
import sys
import time


def keep_everything():
    cache = {}
    number = 0
    while True:
        cache[number] = bytes(200000) + str(number).encode()
        number += 1


def main():
    sys.stdin.readline()
    multiprocessing.set_start_method('fork')
    helper = multiprocessing.Process(target=keep_everything)
    helper.start()
    helper.join()
    print('lost the helper, exit code %d' % helper.exitcode, flush=True)
    while True:
        time.sleep(0.5)


main()
