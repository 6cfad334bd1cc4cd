"""An asyncio server. One request works out a long table in its handler; everybody else waits until that is done."""
import asyncio
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


class Reports:
    def yearly(self, shops):
        table = {}
        for shop in range(shops):
            total = 0
            for day in range(365):
                total += sum((shop * day + hour) % 97 for hour in range(24))
            table[shop] = total
        return table


async def serve(reader, writer):
    await reader.readline()
    table = Reports().yearly(10 ** 7)
    writer.write(str(len(table)).encode())
    await writer.drain()


async def run():
    server = await asyncio.start_server(serve, '127.0.0.1', 0)
    address = server.sockets[0].getsockname()[:2]
    first = socket.create_connection(address)
    first.sendall(b'yearly\n')
    others = [socket.create_connection(address) for _ in range(3)]
    for other in others:
        other.sendall(b'today\n')
    standing.when_inside('yearly')
    await asyncio.sleep(3600)


loop = asyncio.new_event_loop()
loop.run_until_complete(run())
