"""An asyncio server that checks addresses with a method that was bound once. One address stops everybody else."""
import asyncio
import os
import re
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing

is_address = re.compile(r'^([a-zA-Z0-9]+[._-]?)+@(example|shop)\.org$').match


class Signup:
    def check(self, address):
        standing.say_standing()
        return bool(is_address(address))

    async def serve(self, reader, writer):
        line = await reader.readline()
        writer.write(b'yes\n' if self.check(line.decode().strip()) else b'no\n')
        await writer.drain()


async def run():
    server = await asyncio.start_server(Signup().serve, '127.0.0.1', 0)
    address = server.sockets[0].getsockname()[:2]
    client = socket.create_connection(address)
    client.sendall(b'averyveryverylongname1234567890abcdefgh\n')
    await asyncio.sleep(3600)


asyncio.new_event_loop().run_until_complete(run())
