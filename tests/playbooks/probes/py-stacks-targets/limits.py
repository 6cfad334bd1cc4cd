"""Asyncio tasks that wait for what never comes, some of them under a time limit; says so and stays."""
import asyncio
import os
import sys


async def silent():
    await asyncio.get_event_loop().create_future()


async def limited():
    await asyncio.wait_for(silent(), 500)


async def gathered():
    await asyncio.gather(silent(), silent())


async def limited_gather():
    await asyncio.wait_for(gathered(), 400)


async def cancelled_later():
    task = asyncio.ensure_future(silent())
    asyncio.get_event_loop().call_later(300, task.cancel)
    await task


async def unlimited():
    await silent()


async def main():
    loop = asyncio.get_event_loop()
    kept = [loop.create_task(each) for each in (limited(), limited_gather(), cancelled_later(), unlimited())]
    await asyncio.sleep(0.1)
    sys.stdout.write('standing %d\n' % os.getpid())
    await asyncio.gather(*kept)


asyncio.run(main())
