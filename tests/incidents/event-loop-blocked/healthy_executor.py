"""An asyncio server whose blocking calls run in threads: the loop is free, though every thread waits."""
import asyncio
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def query(number):
    time.sleep(0.4)
    return number


async def worker(loop, number):
    while True:
        await loop.run_in_executor(None, query, number)


async def run(loop):
    server = await asyncio.start_server(lambda reader, writer: None, '127.0.0.1', 0)
    jobs = [asyncio.ensure_future(worker(loop, number)) for number in range(4)]
    loop.call_later(0.5, standing.say_standing)
    await asyncio.gather(*jobs)
    server.close()


main_loop = asyncio.new_event_loop()
main_loop.run_until_complete(run(main_loop))
