import { beforeAll, describe, expect, it } from 'vitest';
import type { Look } from '../../playbooks/model/index.ts';
import { loadProbes } from '../../playbooks/registry.ts';
import { partsText } from '../../playbooks/report-text.ts';
import { threadParts, threadsMeant, threadsSeen, threadWords } from '../../playbooks/thread-parts.ts';
import { loadLook, lookFrom, lookNames } from '../support/record-look.ts';

let probes: Awaited<ReturnType<typeof loadProbes>>;
beforeAll(async () => {
  probes = await loadProbes();
});

const look = (name: string, without: readonly string[] = []): Look => lookFrom(loadLook(name), probes, without);
const told = (from: Look, wanted: string): string => {
  const [thread] = threadsMeant(threadsSeen(from), wanted);
  if (thread === undefined) throw new Error(`no thread ${wanted}`);
  return partsText(threadParts(from, thread)).replaceAll(/\n +/g, '\n ');
};

describe('a thread that waits', () => {
  it('is told with its names, state, call, lock and stacks', () => {
    const text = told(look('thread-deadlock/callback'), 'IDLE');
    expect(text).toContain('Thread 7406 of process 7404');
    expect(text).toContain('`threading` calls it `idle` and the kernel calls it `python3`');
    expect(text).toContain('S 100 % (slept)');
    expect(text).toContain('System call: `futex` 100 %');
    expect(text).toMatch(/Waits for `_thread\.lock` at 0x7f3001d4df80/);
    expect(text).toMatch(/Python stack in 21 of 21 samples, innermost first:\n+ Condition\.wait .*threading\.py:320\n/);
    expect(text).toMatch(/Kernel stack of its last wait:\n+ futex_do_wait/);
  });

  it('is told as far as it was seen', () => {
    const sampledOnly = told(look('thread-deadlock/callback', ['py-stacks', 'py-bt', 'native-stacks']), '7406');
    expect(sampledOnly).toContain('System call: `futex` 100 %');
    expect(sampledOnly).not.toContain('Python stack');
    const pythonOnly = told(look('thread-deadlock/callback', ['sample']), '7406');
    expect(pythonOnly).toContain('Python stack in 21 of 21 samples');
    expect(pythonOnly).not.toContain('CPU:');
  });
});

it('a thread that runs is told with what moved and each of its stacks', () => {
  const text = told(look('busy-loop/category_walk'), 'mainthread');
  expect(text).toContain('Interpreter lock: held in 60 of 60 samples');
  expect(text).toContain('`steps` from 65855855 to 143990069');
  expect(text).toContain('Python stack in 42 of 60 samples');
  expect(text).toContain('in none 100 %');
});

describe('which thread is meant', () => {
  const threads = [
    { tid: 10, comm: 'uwsgi', name: 'MainThread' },
    { tid: 11, comm: 'uwsgi', name: 'worker-1' },
    { tid: 12, comm: 'uwsgi', name: 'worker-11' },
    { tid: 13, comm: null, name: null },
  ];
  it.each([
    ['11', [11]],
    ['1', []],
    ['WORKER-1', [11]],
    ['worker', [11, 12]],
    ['uwsgi', [10, 11, 12]],
    ['.*', []],
  ])('%s', (wanted, tids) => {
    expect(threadsMeant(threads, wanted).map(({ tid }) => tid)).toEqual(tids);
  });

  it('is written with its name', () => {
    expect(threads.map(threadWords)).toEqual(['10 (`MainThread`)', '11 (`worker-1`)', '12 (`worker-11`)', '13']);
    expect(threadWords({ tid: 1, comm: null, name: 'a`b\n<!channel>' })).toBe("1 (`a'b\\x0a<!channel>`)");
  });
});

it('every thread of every recorded healthy look can be told', () => {
  for (const name of lookNames('healthy')) {
    const from = look(name);
    for (const thread of threadsSeen(from).slice(0, 20)) {
      const text = partsText(threadParts(from, thread));
      expect(text, name).toContain(`Thread ${thread.tid} of process`);
      expect(text, name).not.toMatch(/undefined|NaN|an unknown share/);
    }
  }
});

it('asyncio tasks and greenlets that run in a thread are told with it', () => {
  const all = [...lookNames('healthy'), ...lookNames('event-loop-blocked'), ...lookNames('blocked-on-network')];
  const texts = all.flatMap((name) => {
    const from = look(name);
    return threadsSeen(from).map((thread) => partsText(threadParts(from, thread)));
  });
  expect(texts.some((text) => /Its asyncio tasks: \d+ (?:waiting|ready)/.test(text))).toBe(true);
  expect(texts.some((text) => /Its greenlets: \d+ (?:waiting|ready)/.test(text))).toBe(true);
});
