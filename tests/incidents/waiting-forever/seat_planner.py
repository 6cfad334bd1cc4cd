"""Two asyncio tasks each have an asyncio.Lock and want the other's, beside threads of an executor that wait for work."""
import asyncio
import os


async def book(first, second):
    async with first:
        await asyncio.sleep(0.1)
        async with second:
            return True


async def main():
    rows, halls = asyncio.Lock(), asyncio.Lock()
    await asyncio.get_running_loop().run_in_executor(None, os.getpid)
    tasks = [asyncio.create_task(book(rows, halls)), asyncio.create_task(book(halls, rows))]
    await asyncio.sleep(0.3)
    print('standing %d' % os.getpid(), flush=True)
    await asyncio.gather(*tasks)


asyncio.run(main())
