"""Runs a deployment step from an asyncio service and waits for its end without reading what it prints.

    deploy_runner.py [beside]    `beside`: another task goes on, and a time limit is far away
"""
import asyncio
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import relatives


async def run_step():
    step = await asyncio.create_subprocess_shell('seq 1 400000', stdout=asyncio.subprocess.PIPE)
    return await step.wait()


async def beat():
    while True:
        await asyncio.sleep(0.2)


async def main():
    relatives.when_descendant_waits('pipe_w', 0.5)
    if sys.argv[1:] == ['beside']:
        beating = asyncio.ensure_future(beat())
        await asyncio.wait_for(run_step(), 3600)
        beating.cancel()
    await run_step()


loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
loop.run_until_complete(main())
