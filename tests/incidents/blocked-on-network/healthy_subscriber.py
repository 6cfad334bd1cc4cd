"""An asyncio subscriber: it has said what it wants to hear of, and events come when there are some. None for a while."""
import asyncio
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import silent_peer
import standing


async def next_event(reader):
    return await reader.readline()


async def subscribe(address):
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b'SUBSCRIBE prices\n')
    await reader.readline()
    standing.say_standing()
    while True:
        await next_event(reader)


asyncio.run(subscribe(silent_peer.start([b'subscribed\n'])))
