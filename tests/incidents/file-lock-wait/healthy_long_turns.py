"""Four jobs that take turns under a lock, each for more than a second: whoever waits does so for longer than a look
takes, and still all get their turns.

    healthy_long_turns.py LOCK      events: `up` (jobs) when each has had a turn
"""
import fcntl
import json
import os
import sys
import time


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


def take_turns(path, ready):
    told = False
    while True:
        with open(path, "a") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            if not told:
                os.write(ready, b"x")
                told = True
            time.sleep(1.1)


def main():
    ready, told = os.pipe()
    jobs = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            take_turns(sys.argv[1], told)
        jobs.append(pid)
    for _ in jobs:
        os.read(ready, 1)
    tell("up", jobs=jobs)
    os.waitpid(jobs[0], 0)


if __name__ == "__main__":
    main()
