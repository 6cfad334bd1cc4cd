"""Reads a price list again whenever it is asked, and keeps every file object: a little leak that never ends.

    price_feed.py FILES       opens so many, says `standing PID`, and goes on
"""
import os
import sys
import tempfile
import time


class PriceFeed:
    def __init__(self, path):
        self.path = path
        self.history = []

    def refresh(self):
        source = open(self.path)
        self.history.append(source)
        return source.read()


def main():
    folder = tempfile.mkdtemp()
    path = os.path.join(folder, "prices.csv")
    with open(path, "w") as file:
        file.write("apple,1\n")
    feed = PriceFeed(path)
    for _ in range(int(sys.argv[1])):
        feed.refresh()
    print("standing %d" % os.getpid(), flush=True)
    while True:
        feed.refresh()
        time.sleep(0.15)


if __name__ == "__main__":
    main()
