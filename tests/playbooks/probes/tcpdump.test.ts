import { afterEach, describe, expect, it } from 'vitest';
import { type TcpdumpData, tcpdump } from '../../../playbooks/probes/tcpdump.ts';
import { fixtureNames, loadFixture, parseFixture } from '../../support/fixture.ts';
import { canRun } from '../../support/incident.ts';
import { endProcesses, startProcess, startPython } from '../../support/live-process.ts';
import { canChangeRoot } from '../../support/other-root.ts';
import { expectNeverThrows } from '../../support/parser-safety.ts';
import { evidenceFrom, runProbe, stepFor } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';

afterEach(endProcesses);

const dataOf = (name: string): TcpdumpData => {
  const parsed = parseFixture(tcpdump, name);
  if (!parsed.ok) throw new Error(parsed.why);
  return parsed.data;
};

describe('recorded runs', () => {
  it('counts what came in on a connection, from the side of the process', () => {
    const { connections, captured, seconds } = dataOf('download');
    expect(captured).toBe(10);
    expect(seconds).toBeCloseTo(0.655, 2);
    expect(connections).toMatchObject([
      {
        local: '127.0.0.1:60302',
        peer: '127.0.0.1:50087',
        sent: { bytes: 0, again: 0 },
        received: { bytes: 178_688, again: 0, noRoom: 0 },
        at: 2,
      },
    ]);
  });

  it('tells what is sent again, a peer without room, requests to connect and breaks', () => {
    const parsed = parseFixture(tcpdump, 'repeats');
    expect(parsed).toMatchObject({ partly: [expect.stringMatching(/dropped 3 packets/)] });
    const { connections } = dataOf('repeats');
    expect(connections.find((each) => each.peer === '10.0.0.9:443')).toMatchObject({
      local: '10.0.0.4:40000',
      sent: { packets: 3, bytes: 1100, again: 1 },
      received: { packets: 1, noRoom: 1 },
      longestGap: 1,
    });
    expect(connections.find((each) => each.peer === '[fd00::9]:80')).toMatchObject({ asks: 2, resets: 0 });
    expect(connections.find((each) => each.peer === '10.0.0.7:5432')).toMatchObject({
      local: '10.0.0.4:40002',
      resets: 1,
      received: { noRoom: 0 },
    });
  });

  it('says why there is nothing', () => {
    const parse = (text: string) => tcpdump.parse(evidenceFrom('tcpdump', text), stepFor(tcpdump, { pid: 1 }));
    expect(parse('== none: it has no TCP connection\n')).toMatchObject({
      ok: true,
      data: { connections: [] },
      partly: [],
    });
    expect(parse('== ports 1\n')).toMatchObject({ ok: true, partly: [expect.stringMatching(/breaks off/)] });
    expect(parse('== ports 1\n== end: captured 2000, dropped 0\n')).toMatchObject({
      partly: ['only the first 2000 packets were looked at'],
    });
    expect(parse('== ports 1\n== denied: tcpdump needs root\n')).toMatchObject({ reason: 'no-permission' });
    expect(parse('== ports 1\n== failed\n')).toMatchObject({ reason: 'failed' });
    expect(parse('== gone: no process 1\n')).toMatchObject({ reason: 'target-gone' });
    expect(parse('sh: x')).toMatchObject({ reason: 'not-parsable' });
  });

  it('never throws', () => {
    expectNeverThrows(
      tcpdump,
      fixtureNames('tcpdump').map((name) => Buffer.from(loadFixture('tcpdump', name).evidence.stdout)),
    );
  });
});

/** Talks to itself ten times a second: a question with a password, in clear, to what looks like a web server. */
const TALK = `
import socket, time
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen()
c = socket.create_connection(l.getsockname()); a, _ = l.accept()
print("ready", flush=True)
while True:
    c.sendall(b"GET /?password=secret HTTP/1.1\\r\\n\\r\\n"); a.recv(100)
    time.sleep(0.1)
`;

const may = process.getuid?.() === 0 && (canRun('/usr/bin/tcpdump') || canRun('/usr/sbin/tcpdump'));

describe.skipIf(!may)('on a live process', () => {
  it('sees its packets, keeps nothing of what they carry, and leaves it unhurt', async () => {
    const live = await startPython(TALK);
    const before = await processState(live.pid);
    const { parsed, evidence } = await runProbe(tcpdump, { pid: live.pid, windowSeconds: 2 });
    await expectUnhurt(live.pid, before);
    if (!parsed.ok) throw new Error(parsed.why);
    expect(parsed.data.connections).toHaveLength(1);
    const [talk] = parsed.data.connections;
    expect((talk?.sent.bytes ?? 0) + (talk?.received.bytes ?? 0)).toBeGreaterThan(34);
    expect(Buffer.from(evidence.stdout).toString()).not.toMatch(/secret|GET|HTTP/);
  });

  it.skipIf(!canChangeRoot())('goes into the network namespace of the process', async () => {
    const live = await startProcess('unshare', [
      '-n',
      'sh',
      '-c',
      'ip link set lo up && exec /usr/bin/python3 -uc "$1"',
      'sh',
      TALK,
    ]);
    await live.line(/^ready/);
    const { parsed } = await runProbe(tcpdump, { pid: live.pid, windowSeconds: 2 });
    expect(parsed).toMatchObject({ ok: true, data: { connections: [{ resets: 0 }] } });
  });

  it('has nothing to look at without connections', async () => {
    const live = await startPython('print("ready", flush=True); input()');
    expect((await runProbe(tcpdump, { pid: live.pid })).parsed).toMatchObject({ ok: true, data: { captured: 0 } });
  });

  it('says that it was not permitted', async () => {
    const live = await startPython(TALK);
    expect((await runProbe(tcpdump, { pid: live.pid, uid: 65_534 })).parsed).toMatchObject({ reason: 'no-permission' });
  });
});
