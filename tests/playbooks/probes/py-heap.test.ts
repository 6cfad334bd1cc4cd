import { afterEach, describe, expect, it } from 'vitest';
import { everyInterpreter, sayWhatIsMissing } from '../../support/every-interpreter.ts';
import { endProcesses } from '../../support/live-process.ts';
import { lookAtHeap, startKnown, startTarget, typeOf } from '../../support/py-heap.ts';
import { versionOf } from '../../support/py-stacks.ts';

afterEach(endProcesses);

sayWhatIsMissing();

describe.each(everyInterpreter)('%s', (python) => {
  const old = versionOf(python) === '2.7';

  it('counts what a program that stands still knows to be there, and calls its containers as it does', async () => {
    const { live, known } = await startKnown(python, 3000);
    const { data, partly } = await lookAtHeap(live.pid, { options: { seconds: 8 } });
    // In 2.7 the collector's state lies in static variables, whose names a distribution strips.
    const stripped = old && partly.some((note) => note.startsWith('The state of the garbage collector'));
    const expected = stripped ? /^Python 2\.7 keeps int|^The state of the garbage collector/ : /^Python 2\.7 keeps int/;
    expect(partly.filter((note) => !expected.test(note))).toEqual([]);
    for (const [name, count] of Object.entries(known.counts).filter(([, number]) => number > 1)) {
      expect(typeOf(data, `__main__.${name}`)?.objects, name).toBe(count);
    }
    const near = (name: string, count: number, off: number) => {
      const found = typeOf(data, name)?.objects ?? 0;
      expect(Math.abs(found - count), `${name}: ${found}, not ${count}`).toBeLessThanOrEqual(off);
    };
    // The program makes a few while it counts.
    near('list', known.lists, 60);
    near('set', known.sets, 20);
    near('function', known.functions, 20);
    if (!old) expect(typeOf(data, 'float')?.objects).toBeGreaterThanOrEqual(known.floats);
    if (!old) near('float', known.floats, 120);
    expect(typeOf(data, '__main__.Point')?.bytes).toBe(known.points);
    expect(data.types.every((type) => type.grewObjects === 0)).toBe(true);
    expect(data.estimated).toBe(false);
    expect(data.pools).toHaveLength(2);
    expect(data.collector).toHaveLength(stripped ? 0 : 2);
    if (!stripped) expect(data.collector[0]).toMatchObject({ enabled: true, thresholds: known.thresholds, garbage: 0 });
    expect(data.garbage.sampled).toBeGreaterThan(100);
    expect(data.garbage.dead).toBe(0);
    const called = (end: string) => data.containers.find((each) => each.holder?.path.endsWith(end));
    expect(called('__main__.ORDERS')).toMatchObject({ type: 'dict', items: 3000, holder: { kind: 'global' } });
    expect(called('__main__.POINTS')).toMatchObject({ type: 'list', items: 3000 });
    expect(called('__main__.KEEPER.table')).toMatchObject({ type: 'dict', items: 3000, holder: { kind: 'attribute' } });
    expect(called('__main__.KEEPER.queue')).toMatchObject({ type: 'collections.deque', items: 300 });
    expect(called('Shelf.boxes')).toMatchObject({ type: 'list', items: 300 });
    if (!old) {
      expect(called('__main__.square')).toMatchObject({
        items: 600,
        holder: { kind: 'cache', function: 'square' },
        bound: null,
      });
    }
  });

  it('sees what grows between two looks, where it is held, and which line adds to it', async () => {
    const { live } = await startKnown(python, 2000);
    live.say('grow');
    const { data } = await lookAtHeap(live.pid, { windowSeconds: 1.5 });
    expect(typeOf(data, '__main__.Order')?.grewObjects).toBeGreaterThan(100);
    expect(typeOf(data, '__main__.Point')?.grewObjects).toBeGreaterThan(100);
    const orders = data.containers.find((each) => each.holder?.path === '__main__.ORDERS');
    expect(orders).toMatchObject({ holds: { text: expect.stringContaining('__main__.Order') } });
    const sizes = orders?.sizes.map((size) => size.items) ?? [];
    expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
    expect(sizes.at(-1)).toBeGreaterThan((sizes[0] ?? 0) + 100);
    expect(orders?.holds?.bytesEach).toBeGreaterThan(100);
    expect(orders?.uses?.filter((use) => use.kind === 'adds').map((use) => use.function)).toContain('inner');
    const local = data.containers.find((each) => each.holder?.kind === 'local');
    expect(local).toMatchObject({ type: 'list', bound: null, holder: { path: 'local_list', function: 'inner' } });
    const bound = (path: string) => data.containers.find((each) => each.holder?.path === path)?.bound;
    expect(bound('__main__.RECENT')).toBe(54_321);
    expect(bound('__main__.WAITING.queue')).toBe(43_210);
    expect(orders?.bound).toBeNull();
  });

  it('reads a heap that changes all the time, and invents nothing', async () => {
    const live = await startTarget('churn.py', python);
    const { data } = await lookAtHeap(live.pid);
    const known = /^(__main__\.|[A-Za-z_0-9.]+$)/;
    for (const type of data.types) expect(type.name).toMatch(known);
    const cells = typeOf(data, '__main__.Cell')?.objects ?? 0;
    expect(cells).toBeGreaterThanOrEqual(10_000);
    expect(cells).toBeLessThan(250_000);
  });
});
