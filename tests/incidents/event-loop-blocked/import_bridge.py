"""A coroutine waits for the result of another one by the future of a thread: the loop that would run it is the one that waits."""
import asyncio
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


class Bridge:
    def __init__(self, loop):
        self.loop = loop

    async def fetch(self, name):
        await asyncio.sleep(0.1)
        return name.upper()

    def get(self, name):
        return asyncio.run_coroutine_threadsafe(self.fetch(name), self.loop).result()


async def consume(bridge):
    for name in ('one', 'two'):
        await asyncio.sleep(0.1)
        print(bridge.get(name))


loop = asyncio.new_event_loop()
standing.when_inside('get')
loop.run_until_complete(consume(Bridge(loop)))
