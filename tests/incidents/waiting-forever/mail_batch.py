"""Sends a batch of letters with three threads and waits until all are marked as done; one was not."""
import queue
import threading
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


class Mailer:
    def __init__(self):
        self.letters = queue.Queue()

    def work(self):
        while True:
            letter = self.letters.get()
            if '@' not in letter:
                continue
            self.letters.task_done()

    def send_all(self, letters):
        for letter in letters:
            self.letters.put(letter)
        self.letters.join()


mailer = Mailer()
for number in range(3):
    threading.Thread(target=mailer.work, name='mail-%d' % number, daemon=True).start()
standing.when_inside('send_all', for_seconds=0.5)
mailer.send_all(['ann@example.com', 'bob', 'eve@example.com'])
