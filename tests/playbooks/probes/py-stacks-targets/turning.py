"""Asyncio tasks that go on all the time, after having written down every place in which they may wait.

turning.py FILE: FILE gets one legal chain a line, innermost coroutine first, as `function:line` words.
"""
import asyncio
import os
import sys

HERE = os.path.basename(__file__)
seen = set()
noting = True


class Point(object):
    """Where a task waits: it is written down which coroutines that happens in."""

    def __await__(self):
        if noting:
            names, frame = [], sys._getframe(1)
            while frame is not None and frame.f_code.co_filename.endswith(HERE) and frame.f_code.co_name != '<module>':
                names.append('%s:%d' % (frame.f_code.co_name, frame.f_lineno))
                frame = frame.f_back
            seen.add(' '.join(names))
        return (yield from asyncio.sleep(0).__await__())


async def leaf():
    await Point()


async def twin():
    await Point()
    await leaf(
    )
    await Point()


async def deeper(depth):
    if depth:
        await deeper(depth - 1)
    else:
        await twin()


async def items():
    for number in range(3):
        await Point()
        yield number


async def round_about():
    await leaf()
    async for number in items():
        await deeper(number)
    await twin()


async def worker():
    while True:
        await round_about()
        if noting:
            return


async def main():
    global noting
    await asyncio.gather(worker(), worker())
    noting = False
    with open(sys.argv[1], 'w') as file:
        file.write('\n'.join(sorted(seen)))
    tasks = [asyncio.ensure_future(worker()) for _ in range(50)]
    sys.stdout.write('standing %d\n' % os.getpid())
    sys.stdout.flush()
    await asyncio.gather(*tasks)


asyncio.run(main())
