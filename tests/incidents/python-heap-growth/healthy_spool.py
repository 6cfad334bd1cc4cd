"""A plain script that gathers events for a while, hands them on, and begins a new list: the list grows, and does not leak.

    healthy_spool.py      says `standing PID` when the second list has begun
"""
import json
import os
import time

BATCH_SECONDS = 60

events = []
batches = 0
until = time.time() + 0.2
while True:
    events.append(json.loads('{"kind": "view", "page": "%s"}' % ('p' * 300)))
    time.sleep(0.002)
    if time.time() > until:
        with open(os.devnull, "w") as out:
            json.dump(events, out)
        events = []
        until = time.time() + BATCH_SECONDS
        batches += 1
        if batches == 1:
            print("standing %d" % os.getpid(), flush=True)
