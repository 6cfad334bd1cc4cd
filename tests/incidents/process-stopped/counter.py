"""A service that counts; somebody stops it."""
import threading
import time


class Counter:
    def __init__(self):
        self.value = 0

    def count(self):
        while True:
            self.value += 1
            time.sleep(0.05)


def main():
    counter = Counter()
    for number in range(3):
        threading.Thread(target=counter.count, name='count-%d' % number, daemon=True).start()
    print('ready', flush=True)
    counter.count()


main()
