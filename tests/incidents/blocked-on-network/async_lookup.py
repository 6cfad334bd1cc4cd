"""An asyncio program that asks a server for one line and awaits the answer without a limit. The answer never comes."""
import asyncio
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import silent_peer
import standing


async def look_up(address, key):
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b'GET %s\r\n' % key)
    standing.say_standing()
    return await reader.readline()


def main():
    address = silent_peer.start()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(look_up(address, b'tariff'))


main()
