"""A server whose clients come, many a second, and stay a while: it keeps one record for each and drops it when they go.

    session_crowd.py HELD RATE [leak]    clients hold as many connections as that, and open so many a second. `leak`: the
                                         record of one who has gone stays
"""
import asyncio
import itertools
import operator
import os
import resource
import sys

LIMIT = min(20000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

CLIENTS = """
import ctypes, resource, socket, time
ctypes.CDLL(None).prctl(1, 9)
resource.setrlimit(resource.RLIMIT_NOFILE, (%d, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
held, following = [], time.monotonic()
while True:
    client = socket.create_connection(('127.0.0.1', %d))
    client.sendall(b'hello\\n')
    client.recv(100)
    held.append(client)
    if len(held) > %d:
        held.pop(0).close()
    following += 1 / %d
    time.sleep(max(0, following - time.monotonic()))
"""


class Registry:
    def __init__(self):
        self.live = {}

    def opened(self, key, session):
        self.live[key] = session


class Session:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.topics = set()
        self.waiting = []


def drop(table, key):
    operator.delitem(table, key)


registry = Registry()
served = itertools.count(1)


async def serve(reader, writer):
    key = writer.get_extra_info('peername')
    session = Session(reader, writer)
    registry.opened(key, session)
    try:
        line = await reader.readline()
        while line:
            writer.write(b'200 ' + line)
            if next(served) == 100:
                print('standing %d' % os.getpid(), flush=True)
            line = await reader.readline()
    except OSError:
        pass
    finally:
        writer.close()
        if 'leak' not in sys.argv:
            drop(vars(registry)['live'], key)


async def main():
    server = await asyncio.start_server(serve, '127.0.0.1', 0, backlog=500)
    port = server.sockets[0].getsockname()[1]
    await asyncio.create_subprocess_exec(sys.executable, '-c', CLIENTS % (LIMIT, port, int(sys.argv[1]), int(sys.argv[2])))
    await asyncio.sleep(3600)


asyncio.run(main())
