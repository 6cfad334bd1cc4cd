"""Threads or asyncio tasks that wait, so many of them and so many frames deep: crowd.py threads|tasks COUNT DEPTH."""
import asyncio
import sys
import threading

kind, count, depth = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
started = threading.Semaphore(0)
never = threading.Event()


def wait(left):
    if left:
        return wait(left - 1)
    started.release()
    never.wait()


async def wait_for(left):
    if left:
        await wait_for(left - 1)
    await asyncio.get_running_loop().create_future()


async def main():
    kept = [asyncio.ensure_future(wait_for(depth)) for _ in range(count)]
    await asyncio.sleep(0)
    print("standing", flush=True)
    await asyncio.gather(*kept)


if kind == "tasks":
    asyncio.run(main())
else:
    threading.stack_size(256 * 1024)
    for _ in range(count):
        threading.Thread(target=wait, args=(depth,), daemon=True).start()
    for _ in range(count):
        started.acquire()
    print("standing", flush=True)
    never.wait()
