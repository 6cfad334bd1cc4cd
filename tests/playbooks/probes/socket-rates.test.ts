import { afterEach, describe, expect, it } from 'vitest';
import { type SocketRatesData, socketRates } from '../../../playbooks/probes/socket-rates.ts';
import { fixtureNames, loadFixture, parseFixture } from '../../support/fixture.ts';
import { endProcesses, type LiveProcess, startProcess, startPython } from '../../support/live-process.ts';
import { canChangeRoot } from '../../support/other-root.ts';
import { expectNeverThrows } from '../../support/parser-safety.ts';
import { evidenceFrom, runProbe, stepFor } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';

afterEach(endProcesses);

const dataOf = (name: string): SocketRatesData => {
  const parsed = parseFixture(socketRates, name);
  if (!parsed.ok) throw new Error(parsed.why);
  return parsed.data;
};

describe('recorded runs', () => {
  it('reads memory and bytes of a download, side by side', () => {
    const data = dataOf('download');
    expect(data.processes).toMatchObject([
      { pid: 16725, rssKib: { first: 42604, last: 80048, most: 80048 }, curve: expect.objectContaining({ length: 9 }) },
    ]);
    expect(data.sockets).toMatchObject([
      {
        fd: 3,
        side: 'client',
        received: 38_076_416,
        receivedInAll: 54_657_111,
        sent: 0,
        sentInAll: 149,
        spokeMs: 2872,
        sentAgain: 0,
        roundTripMs: 0.028,
        openedInWindow: false,
        curve: expect.objectContaining({ 0: { after: 0, value: 16_580_695 }, length: 9 }),
      },
    ]);
    expect(data.total).toMatchObject({ sockets: 1, moved: 1, closed: 0, received: 38_076_416 });
  });

  it('reads name servers and the sockets of children', () => {
    const data = dataOf('prefork');
    expect(data.processes.map((each) => each.pid)).toEqual([810, 811, 812]);
    expect(data.sockets.map((each) => each.pid)).toEqual([812, 810]);
    expect(data.nameServers).toMatchObject([{ kind: 'udp', peer: '10.0.0.53:53', looks: 9, most: 2, sockets: 3 }]);
  });

  it('says what is missing', () => {
    const parse = (text: string) =>
      socketRates.parse(evidenceFrom('socket-rates', text), stepFor(socketRates, { pid: 1 }));
    const whole = Buffer.from(loadFixture('socket-rates', 'download').evidence.stdout).toString();
    expect(parse(whole.replace('end\n', ''))).toMatchObject({ partly: [expect.stringMatching(/breaks off/)] });
    expect(parse(whole.replace('\nend\n', '\nnot readable: descriptors of process 7\nend\n'))).toMatchObject({
      partly: ['not readable: descriptors of process 7'],
    });
    expect(parse('socket-rates 1\ngone: there is no process 1 any more\n')).toMatchObject({ reason: 'target-gone' });
    expect(parse('socket-rates 1\ndenied: the descriptors\n')).toMatchObject({ reason: 'no-permission' });
    expect(parse('socket-rates 1\nrefused: the kernel gives no socket statistics\n')).toMatchObject({
      reason: 'failed',
    });
    expect(parse('Traceback')).toMatchObject({ reason: 'not-parsable' });
  });

  it('never throws', () => {
    expectNeverThrows(
      socketRates,
      fixtureNames('socket-rates').map((name) => Buffer.from(loadFixture('socket-rates', name).evidence.stdout)),
    );
  });
});

/** Two processes of one program: the child asks the parent for a block, and gets one for each line that it is told. */
const PAIR = `
import os, socket, sys
l = socket.socket(socket.AF_INET6 if sys.argv[1] == "6" else socket.AF_INET)
l.bind(("::1" if sys.argv[1] == "6" else "127.0.0.1", 0)); l.listen()
c = socket.create_connection(l.getsockname()[:2]); a, _ = l.accept()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.connect(("127.0.0.1", 53))
print("ready", c.fileno(), a.fileno(), flush=True)
for line in sys.stdin:
    a.sendall(b"x" * 50000)
    left = 50000
    while left:
        left -= len(c.recv(left))
    print("moved", flush=True)
`;

const run = async (live: LiveProcess, options: { uid?: number } = {}) => {
  const before = await processState(live.pid);
  const { parsed } = await runProbe(socketRates, {
    pid: live.pid,
    windowSeconds: 1,
    ...options,
    onStart: () => live.say('go'),
  });
  await expectUnhurt(live.pid, before);
  return parsed;
};

describe('on a live process', () => {
  it.each(['4', '6'])('counts both ends of a connection, IPv%s', async (version) => {
    const live = await startPython(PAIR, [version]);
    // The first block moves before the window or in it: what is held is what was received in all.
    const parsed = await run(live);
    if (!parsed.ok) throw new Error(parsed.why);
    const { data } = parsed;
    expect(parsed.partly).toEqual([]);
    const client = data.sockets.find((each) => each.side === 'client');
    const server = data.sockets.find((each) => each.side === 'server');
    expect(client).toMatchObject({ pid: live.pid, receivedInAll: 50_000, sentInAll: 0, state: 'ESTAB' });
    expect(server).toMatchObject({ sentInAll: 50_000, local: client?.peer, peer: client?.local });
    expect(client?.peer).toMatch(version === '6' ? /^\[::1\]:\d+$/ : /^127\.0\.0\.1:\d+$/);
    expect(data.nameServers).toMatchObject([{ kind: 'udp', peer: '127.0.0.1:53', most: 1, sockets: 1 }]);
    expect(data.nameServers[0]?.looks).toBe(data.looks);
    expect(data.processes).toMatchObject([{ pid: live.pid }]);
  });

  it('watches the children of a master', async () => {
    const master = await startProcess('/usr/bin/python3', [
      '-uc',
      `import os, sys
if os.fork() == 0:
    sys.argv = ["", "4"]
    exec(${JSON.stringify(PAIR)})
    os._exit(0)
os.wait()`,
    ]);
    await master.line(/^ready/);
    const parsed = await run(master);
    if (!parsed.ok) throw new Error(parsed.why);
    expect(parsed.data.processes.map((each) => each.pid === master.pid)).toEqual([true, false]);
    expect(parsed.data.sockets.every((each) => each.pid === parsed.data.processes[1]?.pid)).toBe(true);
    expect(parsed.data.nameServers).toEqual([]);
  });

  it.skipIf(!canChangeRoot())('goes into the network namespace of the process', async () => {
    const live = await startProcess('unshare', [
      '-n',
      'sh',
      '-c',
      'ip link set lo up && exec /usr/bin/python3 -uc "$1" 4',
      'sh',
      PAIR,
    ]);
    await live.line(/^ready/);
    const parsed = await run(live);
    expect(parsed).toMatchObject({ ok: true, data: { total: { sockets: 2 } } });
  });

  it.runIf(process.getuid?.() === 0)('says that it was not permitted', async () => {
    const live = await startPython(PAIR, ['4']);
    expect(await run(live, { uid: 65_534 })).toMatchObject({ ok: false, reason: 'no-permission' });
  });

  it('knows a pid that was reused', async () => {
    const live = await startPython(PAIR, ['4']);
    const { parsed } = await runProbe(socketRates, { pid: live.pid, startTime: '1' });
    expect(parsed).toMatchObject({ ok: false, reason: 'target-gone' });
  });

  it('looks at thousands of connections without missing one', async () => {
    const many = `
import resource, socket
resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen(100)
kept = []
for number in range(1500):
    c = socket.create_connection(l.getsockname()); a, _ = l.accept(); kept.append((a, c))
    c.sendall(b"q")
print("ready", flush=True)
input()
`;
    const live = await startPython(many);
    const parsed = await runProbe(socketRates, { pid: live.pid, windowSeconds: 1 });
    if (!parsed.parsed.ok) throw new Error(parsed.parsed.why);
    expect(parsed.parsed.data.total.sockets).toBe(3000);
    expect(parsed.parsed.data.sockets).toHaveLength(200);
    expect(parsed.parsed.partly).toEqual([]);
  });
});
