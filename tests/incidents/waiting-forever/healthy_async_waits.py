"""Asyncio programs that wait without a timer and that something outside can wake: healthy_async_waits.py KIND."""
import asyncio
import os
import signal
import socket
import sys
import threading


async def stop(loop):
    """A daemon that waits for the signal to stop."""
    event = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, event.set)
    await event.wait()


async def thread(loop):
    """A task that takes what a thread receives."""
    jobs = asyncio.Queue()
    receiving = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiving.bind(('127.0.0.1', 0))

    def receive():
        while True:
            loop.call_soon_threadsafe(jobs.put_nowait, receiving.recv(100))

    threading.Thread(target=receive, daemon=True).start()
    await jobs.get()


async def child(loop):
    """Waits for a program that runs for long."""
    running = await asyncio.create_subprocess_exec(sys.executable, '-c', 'import time; time.sleep(1000)')
    await running.wait()


async def pipe(loop):
    """Reads what a child writes that was only forked; it ends when this process does."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        signal.sigwait([signal.SIGALRM])
    os.close(writing)
    jobs = asyncio.Queue()
    loop.add_reader(reading, lambda: jobs.put_nowait(os.read(reading, 100)))
    await jobs.get()


async def main():
    loop = asyncio.get_running_loop()
    loop.call_later(0.3, lambda: print('standing %d' % os.getpid(), flush=True))
    await globals()[sys.argv[1]](loop)


asyncio.run(main())
