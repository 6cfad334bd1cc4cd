import { appendFileSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type LogLinesData, logLines } from '../../../playbooks/probes/log-lines.ts';
import { fixtureNames, loadFixture, parseFixture } from '../../support/fixture.ts';
import { endProcesses, startPython } from '../../support/live-process.ts';
import { expectNeverThrows } from '../../support/parser-safety.ts';
import { runProbe } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';

/** What other probes saw in a look with this one alone. */
const nothingElse = () => ({ seen: false, reason: 'not-run', why: 'it was no part of this look' }) as const;

const folders: string[] = [];
afterEach(async () => {
  await endProcesses();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A process that has these files open for writing, and their paths. Its standard output is a pipe, its errors a file. */
const service = async (...names: readonly string[]) => {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'log-lines-test-')));
  folders.push(folder);
  const logs = names.map((name) => path.join(folder, name));
  for (const log of logs) writeFileSync(log, '');
  const source = `import sys\nlogs = [open(each, 'ab') for each in sys.argv[1:]]\nprint('ready')\nsys.stdin.read()`;
  return { live: await startPython(source, logs), logs };
};

const look = async (pid: number, pattern?: string) => {
  const before = await processState(pid);
  const run = await runProbe(logLines, { pid, options: pattern === undefined ? {} : { pattern } });
  await expectUnhurt(pid, before);
  return run;
};

const dataOf = ({ parsed, evidence }: Awaited<ReturnType<typeof look>>): LogLinesData => {
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${parsed.why} ${Buffer.from(evidence.stderr)}`);
  return logLines.data.parse(parsed.data);
};

const texts = (data: LogLinesData, log: string | undefined): string[] =>
  data.logs.find((each) => each.path === log)?.shown.map(({ text }) => text) ?? [];

describe('a text', () => {
  it('is taken literally, in any case, and its spaces stand for any white space', async () => {
    const { live, logs } = await service('app "1"\n.log');
    const [log = ''] = logs;
    appendFileSync(log, 'a.b matches\nacb does not\nDB \t pool  [x] Empty\ndb pool x empty\n$(reboot) `id` *\n');
    expect(texts(dataOf(await look(live.pid, 'A.B')), log)).toEqual(['a.b matches']);
    expect(texts(dataOf(await look(live.pid, 'db pool [x] empty')), log)).toEqual(['DB \t pool  [x] Empty']);
    expect(texts(dataOf(await look(live.pid, '$(reboot) `id` *')), log)).toEqual(['$(reboot) `id` *']);
    const none = dataOf(await look(live.pid, '(?:.*)+x'));
    expect(none.logs.map(({ lines, found }) => ({ lines, found }))).toContainEqual({ lines: 5, found: 0 });
  });

  it('finds lines that are no UTF-8, hold control characters or are endless, each on a line of its own', async () => {
    const { live, logs } = await service('app.log');
    const [log = ''] = logs;
    const nasty = Buffer.from('Zahlung \xff\x1b[2J \x85 zu sp\xc3\xa4t\r\n', 'latin1');
    appendFileSync(log, nasty);
    appendFileSync(log, `zu spät token="${'s'.repeat(30_000)}"\n`);
    const [first, second = ''] = texts(dataOf(await look(live.pid, 'zu SPÄT')), log);
    expect(first).toBe('Zahlung \\udcff\\x1b[2J \\udc85 zu spät');
    // Cut, and still in quotes, so that it is known to be a secret where it leaves the worker.
    expect(second).toMatch(/^zu spät token="s{1900,2000}" \.\.\. \(\d+ characters\)$/);
  });
});

it('without a text the last lines of each log are told, and that there are more', async () => {
  const { live, logs } = await service('app.log', 'access.log');
  const [app = '', access = ''] = logs;
  appendFileSync(app, Array.from({ length: 900 }, (_, at) => `line ${at}\n`).join(''));
  appendFileSync(access, 'GET /\n');
  const run = await look(live.pid);
  const data = dataOf(run);
  expect(texts(data, access)).toEqual(['GET /']);
  expect(texts(data, app)).toHaveLength(200);
  expect(texts(data, app).at(-1)).toBe('line 899');
  expect(run.parsed.ok && run.parsed.partly?.join('; ')).toContain(`${app}: the last 200 of 900 lines are here`);
  const lines = logLines.preview?.(data, nothingElse) ?? [];
  expect(lines).toContain(`${access}: 1 of 1 line`);
  expect(lines.some((line) => line.startsWith(`${app}: 900 of 900 lines, the last `))).toBe(true);
  expect(lines.length).toBeLessThanOrEqual(40);
});

it('a huge log costs bounded time and output, and the newest lines are those that are told', async () => {
  const { live, logs } = await service('app.log');
  const [log = ''] = logs;
  const block = Array.from({ length: 20_000 }, (_, at) => `${at} timeout ${'x'.repeat(200)}\n`).join('');
  for (let part = 0; part < 5; part += 1) appendFileSync(log, block);
  appendFileSync(log, 'the newest timeout\n');
  const run = await look(live.pid, 'timeout');
  const data = dataOf(run);
  expect(run.evidence.dropped).toBe(0);
  expect(run.evidence.end).toBe('exited');
  expect(texts(data, log).at(-1)).toBe('the newest timeout');
  expect(texts(data, log)).toHaveLength(2_000);
  expect(data.logs[0]?.from).toBeGreaterThan(0);
  expect(run.parsed.ok && run.parsed.partly?.join('; ')).toMatch(
    /the end was read, from byte \d+; .*the last 2000 of \d+/,
  );
});

it('a process without logs, one that writes elsewhere, and one that has gone are told so', async () => {
  const { live } = await service();
  const { parsed } = await look(live.pid, 'x');
  expect(parsed.ok && parsed.partly?.join('; ')).toContain('is a pipe, a socket or a terminal');
  expect(parsed.ok && parsed.data.elsewhere).toBe(true);
  const gone = await runProbe(logLines, { pid: process.pid, startTime: '1' });
  expect(gone.parsed).toMatchObject({ ok: false, reason: 'target-gone' });
});

describe('recorded outputs', () => {
  it('are read', () => {
    const service = parseFixture(logLines, 'service');
    expect(service).toMatchObject({ ok: true, partly: [] });
    expect(service.ok && service.data.logs.map(({ path: log, unit, found }) => [log ?? unit, found])).toEqual([
      ['/srv/shop/app.log', 2],
      ['shop.service', 1],
    ]);
    const docker = parseFixture(logLines, 'docker');
    expect(docker).toMatchObject({ ok: true, partly: [], data: { elsewhere: false } });
    expect(docker.ok && docker.data.logs[0]).toMatchObject({
      through: { command: expect.stringMatching(/^dockerd /), format: 'json-file' },
      found: 4,
      shown: [
        { stream: 'stderr', time: expect.stringMatching(/^2026-11-22T09:59:56\./) },
        {},
        {},
        { stream: 'stdout' },
      ],
    });
    const podman = parseFixture(logLines, 'podman');
    expect(podman.ok && podman.data.logs).toMatchObject([{ through: { format: 'cri' }, shown: [{}, {}, {}, {}] }]);
    const lines = podman.ok ? logLines.preview?.(podman.data, nothingElse) : [];
    expect(lines?.at(-1)).toMatch(/^ {2}2026-11-22T10:00:02\.\d{3}\+00:00 stdout till-\w+ ready$/);
    expect(parseFixture(logLines, 'denied')).toMatchObject({ ok: false, reason: 'no-permission' });
  });

  it('damaged ones, and any bytes, never make the parser throw', () => {
    expectNeverThrows(
      logLines,
      fixtureNames('log-lines').map((name) => Buffer.from(loadFixture('log-lines', name).evidence.stdout)),
    );
  });
});
