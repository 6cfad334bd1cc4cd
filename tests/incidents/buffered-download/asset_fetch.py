"""An asyncio program with several small downloads and a large one, each awaited whole with aiohttp."""
import asyncio
import os
import sys

import aiohttp

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import file_server
import standing


async def fetch(session, address):
    async with session.get(address) as answer:
        body = await answer.read()
        return len(body)


async def main():
    base = 'http://127.0.0.1:%d' % file_server.start()
    async with aiohttp.ClientSession() as session:
        standing.when_grown(30000)
        await asyncio.gather(*(fetch(session, '%s/%d' % (base, size)) for size in (1000, 4 * 10 ** 9, 5000)))


asyncio.run(main())
