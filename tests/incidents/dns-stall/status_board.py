"""An asyncio program that asks many services for their health. The loop resolves names in its pool of threads."""
import asyncio
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import name_server
import standing


async def check(name):
    while True:
        try:
            _, writer = await asyncio.open_connection(name, 8080)
            writer.close()
        except OSError:
            await asyncio.sleep(0.1)


async def main():
    checks = [asyncio.ensure_future(check('service%d.example.com' % number)) for number in range(2)]
    await asyncio.sleep(0.5)
    standing.say_standing()
    await asyncio.gather(*checks)


name_server.isolate()
name_server.start(None, 'options timeout:2 attempts:1')
asyncio.run(main())
