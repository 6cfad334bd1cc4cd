"""Makes a new event loop for every job and closes none: an epoll instance and a socket pair each time.

    event_loops.py       says `standing PID` after forty jobs, and goes on
"""
import asyncio
import os
import time

loops = []


async def job(number):
    await asyncio.sleep(0)
    return number


def run_job(number):
    loop = asyncio.new_event_loop()
    loops.append(loop)
    return loop.run_until_complete(job(number))


def main():
    number = 0
    while True:
        run_job(number)
        number += 1
        if number == 40:
            print("standing %d" % os.getpid(), flush=True)
        if number > 40:
            time.sleep(0.1)


if __name__ == "__main__":
    main()
