"""An asyncio server with two thousand connections, most of them idle, a few of them asking."""
import asyncio
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing

CLIENTS, BUSY = 2000, 20


async def answer(reader, writer):
    try:
        while True:
            line = await reader.readline()
            if not line:
                break
            writer.write(line.upper())
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def ask_often(reader, writer):
    while True:
        writer.write(b'how are you\n')
        await reader.readline()
        await asyncio.sleep(0.05)


async def clients(port, written):
    pairs = []
    for _ in range(CLIENTS):
        pairs.append(await asyncio.open_connection('127.0.0.1', port))
    os.write(written, b'.')
    await asyncio.gather(*(ask_often(*pair) for pair in pairs[:BUSY]))


async def serve(read_end, forked):
    server = await asyncio.start_server(answer, '127.0.0.1', 0, backlog=512)
    port = server.sockets[0].getsockname()[1]
    os.write(forked, b'%d\n' % port)
    asyncio.get_running_loop().add_reader(read_end, lambda: (os.read(read_end, 1), standing.say_standing()))
    await server.serve_forever()


def main():
    ready, tell_ready = os.pipe()
    port_in, port_out = os.pipe()
    if os.fork() == 0:
        port = int(os.read(port_in, 10))
        asyncio.run(clients(port, tell_ready))
        os._exit(0)
    asyncio.run(serve(ready, port_out))


main()
