import { afterEach, describe, expect, it } from 'vitest';
import { fds } from '../../../playbooks/probes/fds.ts';
import { parseFixture } from '../../support/fixture.ts';
import { endProcesses, startPython } from '../../support/live-process.ts';
import { expectSoundOnDamaged } from '../../support/parser-safety.ts';
import { runProbe, stepFor } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';

afterEach(endProcesses);

const dataOf = (name: string) => {
  const parsed = parseFixture(fds, name);
  if (!parsed.ok) throw new Error(parsed.why);
  return parsed;
};

/** Opens one of each kind, then goes on opening files of three sorts, 20 of each a second. */
const COLLECTOR = `
import os, select, socket, sys, tempfile, time
folder = tempfile.mkdtemp()
kept = [socket.socketpair(), os.pipe(), select.epoll(), open(os.path.join(folder, 'odd "name"\\n(deleted)'), 'w')]
def more():
    kept.append(open('/etc/passwd'))
    kept.append(tempfile.TemporaryFile(dir=folder))
    kept.append(open(os.path.join(folder, 'page-%d.tmp' % len(kept)), 'w'))
for _ in range(20):
    more()
print('ready', flush=True)
while True:
    time.sleep(0.05)
    more()
`;

const STEADY = COLLECTOR.replace('    more()\n`', '').replace(/while True:[\s\S]*/, 'time.sleep(1000)\n');

it('is one script with the pid, its start time and the window; a shell script where there is no Python', () => {
  const step = stepFor(fds, { pid: 77, startTime: '5', windowSeconds: 2 });
  expect(fds.command(step)).toEqual({
    argv: ['/usr/bin/python3', '-I', '-S', '-B', '{script:fds.py}', '77', '5', '2'],
    scripts: ['fds.py', 'proc_files.py'],
  });
  expect(fds.command(stepFor(fds, { pid: 77, startTime: '5', known: { python: null } })).argv.slice(0, 2)).toEqual([
    'sh',
    '{script:fds.sh}',
  ]);
});

describe.each([
  ['Python', {}],
  ['sh', { python: null }],
])('on a live process, by %s', (way, known) => {
  it('counts kinds and names at both ends, and leaves the process alone', async () => {
    const live = await startPython(COLLECTOR);
    const before = await processState(live.pid);
    const { parsed } = await runProbe(fds, { pid: live.pid, windowSeconds: 1, known });
    await expectUnhurt(live.pid, before);
    if (!parsed.ok) throw new Error(parsed.why);
    const { data } = parsed;
    expect(parsed.partly).toEqual([]);
    const kinds = new Map(data.kinds.map((each) => [each.kind, each]));
    expect([...kinds.keys()]).toEqual(expect.arrayContaining(['file', 'deleted file', 'socket', 'pipe', 'epoll']));
    expect(kinds.get('socket')?.first).toBeGreaterThanOrEqual(2);
    expect(kinds.get('socket')?.last).toBe(kinds.get('socket')?.first);
    const group = data.groups.find((each) => each.name === '/etc/passwd');
    expect(group).toMatchObject({ kind: 'file', names: 1, closed: 0 });
    expect(group?.last ?? 0).toBeGreaterThan(group?.first ?? 0);
    expect(group?.opened).toBe((group?.last ?? 0) - (group?.first ?? 0));
    const pages = data.groups.find((each) => each.kind === 'file' && each.names > 10);
    expect(pages?.name).toMatch(way === 'sh' ? /\/\*$/ : /\/page-.*\*.*\.tmp$/);
    expect(data.counts.at(-1)?.open).toBeGreaterThan(data.counts[0]?.open ?? 0);
    expect(data.limits?.soft).toBeGreaterThan(100);
    expect(data.host?.open).toBeGreaterThan(0);
  });

  it('sees a process that keeps what it has as steady', async () => {
    const live = await startPython(STEADY);
    const { parsed } = await runProbe(fds, { pid: live.pid, windowSeconds: 0.5, known });
    if (!parsed.ok) throw new Error(parsed.why);
    expect(new Set(parsed.data.counts.map((each) => each.open)).size).toBe(1);
    for (const group of parsed.data.groups) expect(group).toMatchObject({ opened: 0, closed: 0 });
  });

  it('says that there is no such process', async () => {
    const live = await startPython(STEADY);
    const { parsed } = await runProbe(fds, { pid: live.pid, startTime: '1', windowSeconds: 0.5, known });
    expect(parsed).toMatchObject({ ok: false, reason: 'target-gone' });
  });
});

it('bounds what it reads of a process with very many', async () => {
  const live = await startPython(`
import os, resource, time
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
number = min(hard, 30000) - 50
resource.setrlimit(resource.RLIMIT_NOFILE, (number + 50, hard))
kept = [os.dup(0) for _ in range(number)]
print('ready', flush=True)
time.sleep(1000)
`);
  const { parsed, evidence } = await runProbe(fds, { pid: live.pid, windowSeconds: 0.5 });
  if (!parsed.ok) throw new Error(parsed.why);
  const open = parsed.data.counts[0]?.open ?? 0;
  expect(evidence.stdout.length).toBeLessThan(5000);
  if (open > 20_000) expect(parsed.partly?.join()).toMatch(/not readable: \d+ of \d+ descriptors \(too many\)/);
});

describe('recorded runs', () => {
  it('reads files that are opened one after the other', () => {
    const { data, partly } = dataOf('growing-files');
    expect(partly).toEqual([]);
    expect(data.groups[0]).toMatchObject({ kind: 'file', closed: 0 });
    expect(data.groups[0]?.opened).toBeGreaterThan(5);
    expect(data.newest.at(-1)).toMatchObject({ opened: true });
  });

  it('knows why there is nothing', () => {
    expect(parseFixture(fds, 'no-permission')).toMatchObject({ ok: false, reason: 'no-permission' });
  });

  it('never throws, and never answers with data that its own schema refuses', () => expectSoundOnDamaged(fds));
});
