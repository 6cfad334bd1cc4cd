"""An asyncio service whose requests wait for answers that a task was to bring; that task has failed and nobody noticed."""
import asyncio
import os


async def pair(answers, incoming):
    while True:
        number = await incoming.get()
        answers.pop(number).set_result(number * 2)


async def ask(answers, incoming, number):
    answers[number] = asyncio.get_event_loop().create_future()
    await incoming.put(number // 2)
    return await answers[number]


async def main():
    answers, incoming = {}, asyncio.Queue()
    pairing = asyncio.ensure_future(pair(answers, incoming))
    asking = [asyncio.ensure_future(ask(answers, incoming, number)) for number in range(3, 9)]
    await asyncio.wait([pairing])
    print('standing %d' % os.getpid(), flush=True)
    await asyncio.gather(*asking)


asyncio.get_event_loop_policy().set_event_loop(asyncio.new_event_loop())
asyncio.get_event_loop_policy().get_event_loop().run_until_complete(main())
