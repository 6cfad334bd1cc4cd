"""Four writers that share one file under a lock: heavy, normal use. Each holds it for a moment, all get their turn.

    healthy_writers.py FOLDER flock|poll|record      events: `up` (writers) when each has had it 20 times
"""
import errno
import fcntl
import json
import os
import sys
import time


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


def take_blocking(guard):
    fcntl.flock(guard, fcntl.LOCK_EX)


def take_record(guard):
    fcntl.lockf(guard, fcntl.LOCK_EX)


def take_polling(guard):
    while True:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except (IOError, OSError) as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
        time.sleep(0.01)


def write_on(path, take, give, ready):
    turns = 0
    while True:
        with open(path + ".lock", "a") as guard:
            take(guard)
            try:
                with open(path, "w") as shared:
                    for number in range(3000):
                        shared.write("%d %d\n" % (os.getpid(), number))
            finally:
                give(guard)
        turns += 1
        if turns == 20:
            os.write(ready, b"x")


def main():
    path = os.path.join(sys.argv[1], "shared")
    take = {"flock": take_blocking, "poll": take_polling, "record": take_record}[sys.argv[2]]
    give = (lambda guard: fcntl.lockf(guard, fcntl.LOCK_UN)) if sys.argv[2] == "record" else (
        lambda guard: fcntl.flock(guard, fcntl.LOCK_UN)
    )
    ready, told = os.pipe()
    writers = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            write_on(path, take, give, told)
        writers.append(pid)
    for _ in writers:
        os.read(ready, 1)
    tell("up", writers=writers)
    os.waitpid(writers[0], 0)


if __name__ == "__main__":
    main()
