"""Asyncio tasks that wait in known places: for an answer, a lock, other tasks, a sleep; says so and stays."""
import asyncio
import os
import sys


async def read_reply(reader):
    return await reader.readexactly(10)


async def ask(port):
    reader, writer = await asyncio.open_connection('127.0.0.1', port)
    writer.write(b'question')
    return await read_reply(reader)


async def gathers(port):
    await asyncio.gather(*[ask(port) for _ in range(3)])


async def produces():
    yield 1
    await asyncio.sleep(1000)


async def consumes():
    async for _ in produces():
        pass


async def takes(lock):
    async with lock:
        pass


async def joins(task):
    await task


class Iterated(object):
    def __await__(self):
        return (yield from asyncio.sleep(1000).__await__())


async def awaits_own():
    await Iterated()


async def main():
    loop = asyncio.get_event_loop()
    connections = []
    silent = await asyncio.start_server(lambda reader, writer: connections.append(writer), '127.0.0.1', 0)
    lock = asyncio.Lock()
    await lock.acquire()
    port = silent.sockets[0].getsockname()[1]
    tasks = [loop.create_task(each) for each in (gathers(port), consumes(), takes(lock), takes(lock), awaits_own())]
    tasks.append(loop.create_task(joins(tasks[0])))
    over = loop.create_task(asyncio.sleep(0))
    while len(connections) < 3:
        await asyncio.sleep(0.01)
    assert over.done()
    sys.stdout.write('standing %d\n' % os.getpid())
    await asyncio.sleep(1000)


if 'uvloop' in sys.argv:
    import uvloop

    uvloop.install()
if sys.version_info >= (3, 7):
    asyncio.run(main())
else:
    asyncio.get_event_loop().run_until_complete(main())
