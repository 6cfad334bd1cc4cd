"""Wakes up twice a second to see whether an hour has begun, with a log file open: nothing is wrong, and nothing is locked.

    hourly.py FOLDER     says `standing PID`
"""
import os
import sys
import time


def main():
    log = open(os.path.join(sys.argv[1], "hourly.log"), "w")
    print("standing %d" % os.getpid(), flush=True)
    hour = time.gmtime().tm_hour
    while True:
        now = time.gmtime().tm_hour
        if now != hour:
            hour = now
            log.write("it is %d\n" % now)
        time.sleep(0.5)


if __name__ == "__main__":
    main()
