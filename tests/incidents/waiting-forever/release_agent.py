"""Restarts a service by a script and wants to know what the script said; the service that it leaves behind keeps the pipe.

    release_agent.py KIND    `capture`, `script`, `threads`, `lines`, `patient`, `awaits`: ways to meet that; `slow`: the script itself
                             is at work; `redirected`: the service has an output of its own; `impatient`, `awaits-some`: it
                             gives up soon. Says `standing PID`.
"""
import asyncio
import os
import subprocess
import sys
import threading
import time

# A service that ends with this program, wherever its own parent went.
SERVICE = 'while kill -0 %d 2>/dev/null; do sleep 0.5; done' % os.getpid()


class Agent:
    def __init__(self):
        self.said = {}

    def restart(self, name, command, limit=None):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=limit)
        self.said[name] = done.stdout

    def restart_by_script(self, name):
        with open('restart.sh', 'w') as script:
            script.write('#!/bin/sh\necho restarting %s\nnohup sh -c "%s" &\n' % (name, SERVICE))
        self.said[name] = subprocess.check_output(['sh', 'restart.sh'])

    def restart_and_read(self, name):
        child = subprocess.Popen('(%s) & echo started' % SERVICE, shell=True, stdout=subprocess.PIPE)
        self.said[name] = [line.strip() for line in child.stdout]
        child.wait()

    def restart_both(self):
        def one(name):
            child = subprocess.Popen(['setsid', 'sh', '-c', '(%s) & echo %s' % (SERVICE, name)], stdout=subprocess.PIPE)
            self.said[name] = child.communicate()[0]

        threads = [threading.Thread(target=one, args=(name,), name='restart-%s' % name) for name in ('web', 'mail')]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


    async def restart_awaited(self, name, limit):
        async def beat():
            while True:
                await asyncio.sleep(0.2)

        beating = asyncio.ensure_future(beat())
        script = '(%s) & echo started' % SERVICE
        child = await asyncio.create_subprocess_shell(script, stdout=asyncio.subprocess.PIPE)
        self.said[name], _ = await (child.communicate() if limit is None else asyncio.wait_for(child.communicate(), limit))
        beating.cancel()


def tell():
    # Once the child has written and gone, or is at work; the kernel offers no event for a zombie that stays.
    for _ in range(100):
        time.sleep(0.01)
    print('standing %d' % os.getpid(), flush=True)


def main():
    agent = Agent()
    threading.Thread(target=tell, daemon=True).start()
    kind = sys.argv[1]
    if kind == 'capture':
        agent.restart('web', ['sh', '-c', '(%s) & echo started' % SERVICE])
    elif kind in ('patient', 'impatient'):
        agent.restart('web', ['sh', '-c', '(%s) & echo started' % SERVICE], 3600 if kind == 'patient' else 30)
    elif kind in ('awaits', 'awaits-some'):
        asyncio.new_event_loop().run_until_complete(agent.restart_awaited('web', None if kind == 'awaits' else 30))
    elif kind == 'script':
        agent.restart_by_script('web')
    elif kind == 'lines':
        agent.restart_and_read('web')
    elif kind == 'threads':
        agent.restart_both()
    elif kind == 'slow':
        agent.restart('web', ['sh', '-c', '%s; echo started' % SERVICE])
    elif kind == 'redirected':
        agent.restart('web', ['sh', '-c', '(%s) >/dev/null 2>&1 & echo started' % SERVICE])
    sys.stdin.read()


main()
