"""A coroutine writes into a SQLite file that another process has locked: the driver tries again and again inside of one call."""
import asyncio
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


class Ledger:
    def __init__(self, path):
        self.connection = sqlite3.connect(path, timeout=600)

    def add(self, amount):
        self.connection.execute('insert into entries values (?)', (amount,))


async def serve(ledger):
    standing.say_standing()
    ledger.add(5)


path = os.path.abspath('ledger.db')
read, write = os.pipe()
stay, _ = os.pipe()
if os.fork() == 0:
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute('create table entries (amount)')
    holder.execute('begin exclusive')
    os.write(write, b'!')
    os.read(stay, 1)
    sys.exit()
os.read(read, 1)
asyncio.new_event_loop().run_until_complete(serve(Ledger(path)))
