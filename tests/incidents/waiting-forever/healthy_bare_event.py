"""Keeps daemon threads going that wait for jobs; the main thread only waits for an event, and then for SIGTERM's default."""
import queue
import threading
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing

jobs = queue.Queue()
for _ in range(3):
    threading.Thread(target=jobs.get, daemon=True).start()


def serve_forever():
    threading.Event().wait()


standing.when_inside('serve_forever')
serve_forever()
