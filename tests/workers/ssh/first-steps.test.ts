import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type HostSettings, hostLookup } from '../../../infra/hosts.ts';
import type { Sshd } from '../../../infra/sandbox/sshd.ts';
import { type FirstSteps, FOUND_FIRST, isSameStep, type RemoteStep } from '../../../workers/ssh/remote-step.ts';
import { closeConnections, type HostFacts, type HostShell, openShell } from '../../../workers/ssh/shell.ts';
import { endProcesses, startPython } from '../../support/live-process.ts';
import { opensshHost } from '../../support/openssh.ts';
import { startTimeOf } from '../../support/run-probe.ts';
import { folderOf, step, textOf } from '../../support/shells.ts';
import { endSshd, testSshd, testWire, type Wire } from '../../support/sshd.ts';
import { until } from '../../support/until.ts';

const FACTS: HostFacts = { python: '/usr/bin/python3', tools: {}, root: true };
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'straceback-first-'));
});
afterEach(async () => {
  await closeConnections();
  await endProcesses();
  rmSync(folder, { recursive: true, force: true });
});

/** Opens a shell with first steps; `asked` hears whether they were asked for. */
const openWith = (host: HostSettings, first: FirstSteps, asked: (facts: HostFacts | null) => void = () => {}) =>
  openShell(host, hostLookup([]), {}, async (facts) => {
    asked(facts);
    return first;
  });

/** One look at the host, after which it is known what runner is there. */
const getKnown = async (host: HostSettings): Promise<void> => {
  const shell = await openShell(host, hostLookup([]));
  shell.remember?.(FACTS);
  await shell.close();
};

/** Appends a line to a file, so that it shows how often it ran. */
const noting = (id: string, line: string, target: RemoteStep['target']): RemoteStep =>
  step(['sh', '-c', 'echo "$1" >>"$2"; echo "$1"', 'sh', line, join(folder, id)], { id, target });

/** The first of all is one that does not last. */
const quick = step(['true'], { id: 'quick' });

const noted = (id: string): string[] =>
  existsSync(join(folder, id)) ? readFileSync(join(folder, id), 'utf8').trim().split('\n') : [];

const live = async (): Promise<{ pid: number; startTime: string }> => {
  const { pid } = await startPython('print("ready"); input()');
  return { pid, startTime: startTimeOf(pid) };
};

const close = (...shells: readonly HostShell[]) => Promise.all(shells.map((shell) => shell.close()));

describe.each([
  ['node-ssh', (sshd: Sshd): HostSettings => sshd.host('web-7')],
  ['openssh', (sshd: Sshd): HostSettings => opensshHost(sshd, 'web-7')],
])('first steps through %s', (_, hostOf) => {
  let sshd: Sshd;
  beforeAll(async () => {
    sshd = await testSshd();
  });
  afterAll(endSshd);

  test('go with the runner once it is known what is there, and each runs once', async () => {
    const host = hostOf(sshd);
    const { pid, startTime } = await live();
    const first: FirstSteps = {
      pid,
      ageSeconds: 0,
      steps: [
        step(['echo', "who's there?"], { id: 'who' }),
        noting('known', FOUND_FIRST, { pid, startTime: FOUND_FIRST }),
        step(['cat', '{script:a.txt}'], { id: 'script', scripts: [{ name: 'a.txt', content: "it's\n" }] }),
      ],
    };
    const asked: (HostFacts | null)[] = [];
    const cold = await openWith(host, first, (facts) => asked.push(facts));
    expect(asked).toEqual([]);
    cold.remember?.(FACTS);
    await cold.close();
    const shell = await openWith(host, first, (facts) => asked.push(facts));
    expect(asked).toEqual([FACTS]);
    const run = async (it: RemoteStep) => text((await shell.run(it)).stdout);
    expect(await run(step(['echo', "who's there?"], { id: 'who' }))).toBe("who's there?\n");
    expect(await run(noting('known', startTime, { pid, startTime }))).toBe(`${startTime}\n`);
    expect(noted('known')).toEqual([startTime]);
    // What came with them can be used again, and the same is run anew when it is asked for again.
    const script = { scripts: [{ name: 'a.txt', content: "it's\n" }] };
    expect(await run(step(['cat', '{script:a.txt}'], { id: 'script', ...script }))).toBe("it's\n");
    expect(await run(step(['cat', '{script:a.txt}'], { id: 'script', ...script }))).toBe("it's\n");
    await run(noting('known', startTime, { pid, startTime }));
    expect(noted('known')).toEqual([startTime, startTime]);
    await shell.close();
  });

  test('begin when the first has ended, which runs alone', async () => {
    const host = hostOf(sshd);
    await getKnown(host);
    const log = join(folder, 'order');
    const slow = 'sleep 0.3; [ ! -e "$1" ] && echo first >"$1"';
    const first = step(['sh', '-c', slow, 'sh', log], { id: 'who' });
    const second = step(['cat', log], { id: 'second' });
    const shell = await openWith(host, { pid: process.pid, ageSeconds: 0, steps: [first, second] });
    expect(await shell.run(first)).toMatchObject({ end: 'exited', exit: 0 });
    expect(text((await shell.run(second)).stdout)).toBe('first\n');
    await shell.close();
  });

  test('of another process with the same pid do not count', async () => {
    const host = hostOf(sshd);
    await getKnown(host);
    const { pid, startTime } = await live();
    const steps = [noting('reused', FOUND_FIRST, { pid, startTime: FOUND_FIRST })];
    const shell = await openWith(host, { pid, ageSeconds: 0, steps });
    // As if the process had been replaced between the opening and its being identified.
    const other = String(BigInt(startTime) + 1n);
    const result = await shell.run(noting('reused', other, { pid, startTime: other }));
    expect(result).toMatchObject({ end: 'target-gone', exit: null });
    expect(noted('reused')).not.toContain(other);
    await shell.close();
  });

  test('do not run for a process that is too young, gone, or not the one that was chosen', async () => {
    const host = hostOf(sshd);
    await getKnown(host);
    const { pid, startTime } = await live();
    const mark = (id: string, of: number, start = FOUND_FIRST) => noting(id, id, { pid: of, startTime: start });
    const young = await openWith(host, { pid, ageSeconds: 86_400 * 365, steps: [mark('young', pid)] });
    const gone = await openWith(host, { pid: 4_194_300, ageSeconds: 0, steps: [mark('gone', 4_194_300)] });
    const chosen = await openWith(host, { pid, ageSeconds: 0, steps: [mark('chosen', pid, '1')] });
    // Each shell answers in the order of its lines, so what came first has been decided.
    for (const shell of [young, gone, chosen]) await shell.run(step(['true']));
    expect(await chosen.run(mark('chosen', pid, '1'))).toMatchObject({ end: 'target-gone' });
    expect(await gone.run(mark('gone', 4_194_300, startTime))).toMatchObject({ end: 'target-gone' });
    await close(young, gone, chosen);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('that are asked for in other words are ended and run anew', async () => {
    const host = hostOf(sshd);
    await getKnown(host);
    const { pid, startTime } = await live();
    const wait = (seconds: string) => step(['sh', '-c', 'echo $$; exec sleep "$1"', 'sh', seconds], { id: 'wait' });
    const shell = await openWith(host, { pid, ageSeconds: 0, steps: [quick, wait('60'), wait('60')] });
    const result = await shell.run(wait('0'));
    expect(result).toMatchObject({ end: 'exited', exit: 0 });
    const again = await shell.run(noting('again', startTime, { pid, startTime }));
    expect(text(again.stdout)).toBe(`${startTime}\n`);
    const own = await folderOf(shell);
    await shell.close();
    expect(existsSync(own)).toBe(false);
  });
});

describe('first steps of which', () => {
  let wire: Wire;
  let host: HostSettings;
  beforeAll(async () => {
    const sshd = await testSshd();
    wire = await testWire(sshd.port);
    const known = readFileSync(sshd.knownHostsFile, 'utf8');
    writeFileSync(sshd.knownHostsFile, known.replaceAll(`:${sshd.port} `, `:${wire.port} `));
    host = sshd.host('web-7', { port: wire.port });
  });
  afterAll(endSshd);

  test('the connection is cut: none is answered, all end, and the next look gets a new connection', async () => {
    await getKnown(host);
    const { pid } = await live();
    const file = join(folder, 'pid');
    const sleeps = step(['sh', '-c', 'echo $$ >"$1"; exec sleep 60', 'sh', file], { id: 'sleeps' });
    const shell = await openWith(host, { pid, ageSeconds: 0, steps: [quick, sleeps] });
    const own = await folderOf(shell);
    const running = await until('it runs', () => existsSync(file) && Number(readFileSync(file, 'utf8')));
    wire.cut();
    expect(await shell.run(sleeps)).toMatchObject({ end: 'connection-lost' });
    await shell.close();
    await until('the tool has ended', () => !existsSync(`/proc/${running}`));
    await until('the folder is gone', () => !existsSync(own));
    const next = await openWith(host, { pid, ageSeconds: 0, steps: [step(['echo', 'next'], { id: 'next' })] });
    expect(text((await next.run(step(['echo', 'next'], { id: 'next' }))).stdout)).toBe('next\n');
    await next.close();
  });

  test('the way swallows the answer are told as a host that does not answer', async () => {
    await getKnown(host);
    const opening = openShell(host, hostLookup([]), { readyMs: 500 }, async () => {
      wire.swallow();
      return { pid: 1, ageSeconds: 0, steps: [step(['echo', 'x'])] };
    });
    await expect(opening).rejects.toMatchObject({ code: 'unreachable' });
    wire.cut();
  });

  test('the writing down fails leave the connection as it was', async () => {
    await getKnown(host);
    const bad = { pid: 1, ageSeconds: 0, steps: [step(['a\0b'])] };
    await expect(openWith(host, bad)).rejects.toThrow(TypeError);
    const stranger = step(['true'], { target: { pid: 2, startTime: FOUND_FIRST } });
    await expect(openWith(host, { pid: 1, ageSeconds: 0, steps: [stranger] })).rejects.toThrow(TypeError);
    const traces = { pid: 1, ageSeconds: 0, steps: [step(['true'], { ptraces: true })] };
    await expect(openWith(host, traces)).rejects.toThrow(TypeError);
    const shell = await openShell(host, hostLookup([]));
    expect(await textOf(shell, 'echo', 'there')).toBe('there');
    await shell.close();
  });
});

test('a first step is the same as one that differs from it in nothing but the start time that was found', () => {
  const first = step(['a', FOUND_FIRST], { target: { pid: 7, startTime: FOUND_FIRST } });
  const now = step(['a', '55'], { target: { pid: 7, startTime: '55' } });
  expect(isSameStep(first, '55', now)).toBe(true);
  expect(isSameStep(first, '56', now)).toBe(false);
  expect(isSameStep(first, null, now)).toBe(false);
  const scripts = [{ name: 'x', content: 'y' }];
  for (const change of [
    { argv: ['a'] },
    { seconds: 1 },
    { bytes: 1 },
    { endWith: 'KILL' },
    { target: null },
    { scripts },
  ]) {
    expect(isSameStep(first, '55', { ...now, ...(change as Partial<RemoteStep>) })).toBe(false);
  }
});
