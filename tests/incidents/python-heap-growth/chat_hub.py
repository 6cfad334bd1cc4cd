"""A chat hub in asyncio: each visitor's session is kept in a list so that it can be counted, also when the visitor has left."""
import asyncio
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from standing import when_grown


class Session:
    __slots__ = ('visitor', 'messages', 'open')

    def __init__(self, visitor):
        self.visitor = visitor
        self.messages = []
        self.open = True


class Hub:
    def __init__(self):
        self.sessions = []
        self.served = 0

    async def visit(self, visitor):
        session = Session(visitor)
        self.sessions.append(session)
        for number in range(6):
            session.messages.append('%s says %d' % (visitor, number))
            await asyncio.sleep(0.001)
        session.open = False
        self.served += 1


async def main():
    hub = Hub()
    number = 0
    while True:
        await asyncio.gather(*(hub.visit('visitor %d' % (number + each)) for each in range(10)))
        number += 10
        await asyncio.sleep(0.005)


when_grown(1500)
asyncio.run(main())
