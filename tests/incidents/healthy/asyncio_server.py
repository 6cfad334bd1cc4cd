"""An asyncio server with some connected clients that say something every now and then, and a periodic task."""
import asyncio
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


async def serve(reader, writer):
    while True:
        line = await reader.readline()
        if not line:
            break
        writer.write(line)
        await writer.drain()
    writer.close()


async def client(port, number):
    reader, writer = await asyncio.open_connection('127.0.0.1', port)
    while True:
        writer.write(b'hello %d\n' % number)
        await writer.drain()
        await reader.readline()
        await asyncio.sleep(0.3 + number / 10)


async def tick():
    while True:
        await asyncio.sleep(1)


async def run():
    server = await asyncio.start_server(serve, '127.0.0.1', 0)
    port = server.sockets[0].getsockname()[1]
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, os.path.abspath(__file__), str(port)])
    ticker = asyncio.ensure_future(tick())
    asyncio.get_event_loop().call_later(0.5, standing.say_standing)
    await server.wait_closed() if sys.version_info < (3, 7) else await server.serve_forever()
    ticker.cancel()


async def clients(port):
    await asyncio.gather(*[client(port, number) for number in range(8)])


def main():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(clients(int(sys.argv[1])) if len(sys.argv) > 1 else run())


main()
