import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { pyHeap } from '../../../playbooks/probes/py-heap.ts';
import { endProcesses, startProcess } from '../../support/live-process.ts';
import { lookAtHeap, startKnown, startTarget, typeOf } from '../../support/py-heap.ts';
import { interpreters, openFiles } from '../../support/py-stacks.ts';
import { type RunProbeOptions, runProbe } from '../../support/run-probe.ts';

afterEach(endProcesses);

describe('names that come from the process', () => {
  it.each(interpreters.filter((python) => !/2\.7/.test(python)))('forge no line: %s', async (python) => {
    const live = await startTarget('hostile.py', python);
    const { data, text } = await lookAtHeap(live.pid);
    expect(text.split('\n').filter((line) => line === 'end')).toHaveLength(1);
    expect(text.split('\n').at(-2)).toBe('end');
    expect(data.types.map((type) => type.name)).not.toContain('forged');
    expect(typeOf(data, 'm\nnote forged.with space')?.objects).toBe(5001);
    expect(data.types.some((type) => type.name.includes('a\nend\ntype forged') && type.objects === 5000)).toBe(true);
    expect(data.containers.find((each) => each.holder?.path === '__main__.BAD\nNAME end')?.items).toBe(4000);
  });
});

describe('what cannot be read', () => {
  const why = async (pid: number, run: Partial<RunProbeOptions> = {}) => {
    const { parsed } = await runProbe(pyHeap, { pid, windowSeconds: 0.4, ...run });
    return parsed.ok
      ? { ok: true, partly: parsed.partly ?? [], why: '' }
      : { ok: false, reason: parsed.reason, why: parsed.why, partly: [] };
  };

  it('is no Python, needs permission, or is another process by now', async () => {
    const sleeping = await startProcess('/bin/sleep', ['1000']);
    expect(await why(sleeping.pid)).toMatchObject({ ok: false, reason: 'not-applicable' });
    const { live } = await startKnown('/usr/bin/python3', 10);
    expect(await why(live.pid, { uid: 65534 })).toMatchObject({ ok: false, reason: 'no-permission' });
    expect(await why(live.pid, { startTime: '7' })).toMatchObject({ ok: false, reason: 'target-gone' });
  });

  it.each(['exit', 'exec'])('goes away in the middle (%s): what was counted until then is kept', async (way) => {
    const { live } = await startKnown('/usr/bin/python3', 2000);
    const ended = way === 'exit' ? once(live.child, 'exit') : null;
    const seen = await why(live.pid, {
      windowSeconds: 4,
      onStart: async (reader) => {
        const memory = `/proc/${live.pid}/mem`;
        while (!openFiles(reader.pid ?? 0).includes(memory)) await new Promise((resolve) => setTimeout(resolve, 2));
        live.say(way);
        await ended;
      },
    });
    expect(seen.ok ? seen.partly.join(' ') : seen.why).toMatch(/ended|no process|replaced its program/);
  });
});

describe('damaged structures', () => {
  const ways = ['types', 'counts', 'circle', 'wild', 'pools', 'carved', 'sizes', 'items', 'keys', 'tables'];
  const some = interpreters.filter((python) => /bin\/python3$|3\.7|3\.13/.test(python));
  it.each(some.flatMap((python) => ways.map((way) => [way, python])))(
    '%s: what is sound is counted, nothing is invented, and it ends: %s',
    async (way, python) => {
      const live = await startTarget('damaged.py', python, [way]);
      const { data, partly } = await lookAtHeap(live.pid, { windowSeconds: 0.3 });
      // A pool whose books are damaged is left out as a whole.
      const least = way === 'pools' ? 19_000 : 20_000;
      expect(typeOf(data, '__main__.Sound')?.objects).toBeGreaterThanOrEqual(least);
      expect(typeOf(data, '__main__.Sound')?.objects).toBeLessThanOrEqual(20_000);
      if (way === 'pools') expect(partly.join(' ')).toMatch(/pools changed all the time and were not counted/);
      expect(typeOf(data, '__main__.Broken')?.objects ?? 0).toBeLessThanOrEqual(20_000);
      if (way === 'types' || way === 'counts') expect(typeOf(data, '__main__.Broken')).toBeUndefined();
      for (const type of data.types) {
        expect(type.name).toMatch(/^[\w.]+$/);
        expect(type.bytes).toBeLessThan(2 ** 31);
        expect(type.tableBytes).toBeLessThan(way === 'sizes' || way === 'tables' ? 2 ** 40 : 2 ** 31);
      }
      for (const container of data.containers) expect(container.items).toBeLessThan(100_000);
      expect(data.garbage.dead).toBe(0);
    },
  );
});

describe('a request for references', () => {
  it('shows who refers to the biggest container of a type', async () => {
    const { live } = await startKnown('/usr/bin/python3', 2000);
    const { data } = await lookAtHeap(live.pid, { options: { refs: 'collections.deque' } });
    expect(data.references).not.toBeNull();
    expect(data.references?.found.map((each) => each.type)).toContain('__main__.Keeper');
    const none = await lookAtHeap(live.pid, { options: { refs: 'no.such.Type' } });
    expect(none.data.references).toBeNull();
  });
});

describe('a big heap', () => {
  it('of a million objects is counted to the last one, or sampled in less time', async () => {
    const source =
      'class P(object):\n  __slots__ = ("x",)\nkept = [P() for _ in range(1000000)]\nprint("standing", flush=True)\ninput()';
    const live = await startProcess('/usr/bin/python3', ['-u', '-c', source]);
    await live.line(/^standing/);
    const whole = await lookAtHeap(live.pid, { options: { seconds: 20 } });
    expect(typeOf(whole.data, '__main__.P')?.objects).toBe(1_000_000);
    const part = await lookAtHeap(live.pid, { options: { seconds: 0.2 } });
    expect(part.data.estimated).toBe(true);
    expect(part.partly.join(' ')).toMatch(/are estimates/);
    const found = typeOf(part.data, '__main__.P')?.objects ?? 0;
    expect(Math.abs(found - 1_000_000)).toBeLessThan(400_000);
  });
});
