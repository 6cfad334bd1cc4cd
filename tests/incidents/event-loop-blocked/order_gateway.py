"""An asyncio server whose handler asks a price service by a synchronous HTTP call, which is not answered. A client waits."""
import asyncio
import http.client
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import silent_peer
import standing


class Prices:
    def __init__(self, address):
        self.address = address

    def of(self, item):
        connection = http.client.HTTPConnection(*self.address)
        connection.request('GET', '/price/%s' % item)
        return connection.getresponse().read()


class Gateway:
    def __init__(self, prices):
        self.prices = prices

    async def serve(self, reader, writer):
        while True:
            line = await reader.readline()
            if not line:
                return
            writer.write(self.prices.of(line.decode().strip()))
            await writer.drain()


async def beat():
    while True:
        await asyncio.sleep(0.2)


async def run(gateway):
    server = await asyncio.start_server(gateway.serve, '127.0.0.1', 0)
    ticker = asyncio.ensure_future(beat())
    clients = [socket.create_connection(server.sockets[0].getsockname()[:2]) for _ in range(3)]
    for client in clients:
        client.sendall(b'tea\n')
    standing.when_inside('of')
    await asyncio.sleep(3600)
    ticker.cancel()


gateway = Gateway(Prices(silent_peer.start()))
asyncio.new_event_loop().run_until_complete(run(gateway))
