"""An asyncio server that clients keep busy all the time: many short callbacks, one after another."""
import asyncio
import hashlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


async def serve(reader, writer):
    while True:
        line = await reader.readline()
        if not line:
            return
        rows = sorted(hashlib.md5(line + str(row).encode()).hexdigest() for row in range(300))
        writer.write(('%s\n' % rows[0]).encode())
        await writer.drain()


async def client(port):
    reader, writer = await asyncio.open_connection('127.0.0.1', port)
    while True:
        writer.write(b'sort\n')
        await reader.readline()


async def run(port):
    if port:
        await asyncio.gather(*[client(port) for _ in range(6)])
    server = await asyncio.start_server(serve, '127.0.0.1', 0)
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, os.path.abspath(__file__), str(server.sockets[0].getsockname()[1])])
    asyncio.get_event_loop().call_later(0.8, standing.say_standing)
    await asyncio.sleep(3600)


asyncio.new_event_loop().run_until_complete(run(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
