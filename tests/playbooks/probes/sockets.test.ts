import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Probe } from '../../../playbooks/model/index.ts';
import { type Socket, type SocketsData, sockets } from '../../../playbooks/probes/sockets.ts';
import { endProcesses, startProcess, startPython } from '../../support/live-process.ts';
import { runProbe, stepFor } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';
import { canHideTools, withoutTools } from '../../support/without-tools.ts';

describe('command', () => {
  it('is one script with one number', () => {
    expect(sockets.command(stepFor(sockets, { pid: 77 }))).toEqual({
      argv: ['sh', '{script:sockets.sh}', '77'],
      scripts: ['sockets.sh'],
    });
  });
});

/** A client with unread data, a connection whose peer has closed, listeners; says its own sockets as JSON. */
const PROGRAM = `
import json, os, socket
def inode(s): return str(os.fstat(s.fileno()).st_ino)
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen()
c = socket.create_connection(l.getsockname()); a, _ = l.accept()
a.sendall(b"x" * 5000)
d = socket.create_connection(l.getsockname()); e, _ = l.accept(); e.close()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", 0))
x, y = socket.socketpair(); y.send(b"abc")
c.recv(1000)
def tcp(s): return "%s:%d" % s.getsockname()
print("ready " + json.dumps({
  "listener": [l.fileno(), inode(l), tcp(l)], "reader": [c.fileno(), inode(c), tcp(c)],
  "halfclosed": [d.fileno(), inode(d), tcp(d)], "datagram": [u.fileno(), inode(u), tcp(u)],
  "pair": [x.fileno(), inode(x), ""]}), flush=True)
input()
`;

type Own = Record<'listener' | 'reader' | 'halfclosed' | 'datagram' | 'pair', [number, string, string]>;

describe('real processes', () => {
  const folders: string[] = [];
  afterEach(async () => {
    await endProcesses();
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  const start = async (): Promise<{ pid: number; own: Own }> => {
    const live = await startPython(PROGRAM.replace('print("ready "', 'print("ready"); print("own "'));
    return { pid: live.pid, own: JSON.parse((await live.line(/^own /)).slice(4)) as Own };
  };

  const look = async (pid: number, probe: Probe<SocketsData> = sockets) => {
    const before = await processState(pid);
    const { parsed, evidence } = await runProbe(probe, { pid });
    await expectUnhurt(pid, before);
    if (!parsed.ok) throw new Error(parsed.why);
    return { found: parsed.data.sockets, evidence, partly: parsed.partly };
  };

  const expectOwn = (found: readonly Socket[], own: Own): void => {
    const at = ([fd, inode]: [number, string, string]) =>
      found.find((socket) => socket.fd === fd && socket.inode === inode);
    expect(at(own.listener)).toMatchObject({ kind: 'tcp', state: 'LISTEN', local: own.listener[2] });
    expect(at(own.reader)).toMatchObject({ state: 'ESTAB', local: own.reader[2], receiveQueue: 4000 });
    expect(at(own.halfclosed)).toMatchObject({ state: 'CLOSE-WAIT', local: own.halfclosed[2] });
    expect(at(own.datagram)).toMatchObject({ kind: 'udp', local: own.datagram[2] });
    expect(at(own.pair)).toMatchObject({ kind: 'unix', state: 'ESTAB' });
  };

  it('finds exactly what the process says it has', async () => {
    const { pid, own } = await start();
    const { found, evidence } = await look(pid);
    expectOwn(found, own);
    expect(found.find((socket) => socket.fd === own.reader[0])).toMatchObject({ bytesReceived: 5000 });
    const reader = found.find((socket) => socket.fd === own.reader[0]);
    const line = Buffer.from(evidence.stdout).toString().split('\n')[(reader?.at ?? 0) - 1];
    expect(line).toContain(`fd=${own.reader[0]} ESTAB 4000`);
  });

  it('takes a unix socket for what it is though its peer, in whose record it stands too, is another process', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'straceback unix '));
    folders.push(folder);
    const live = await startPython(
      `
import os, socket, sys
l = socket.socket(socket.AF_UNIX); l.bind(sys.argv[1]); l.listen(3)
if os.fork() == 0:
    l.close(); sys.stdin.read(); os._exit(0)
c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1]); s, _ = l.accept()
if os.fork() == 0:
    c.close(); l.close(); s.recv(1); os._exit(0)
s.close(); l.close()
print("ready"); print("own %d" % c.fileno(), flush=True)
input()
`,
      [join(folder, 'a 12 b.sock')],
    );
    const fd = Number((await live.line(/^own /)).slice(4));
    const { found, partly } = await look(live.pid);
    expect(found.filter((socket) => socket.fd === fd)).toMatchObject([{ kind: 'unix', state: 'ESTAB' }]);
    expect(partly ?? []).toEqual([]);
  });

  it.runIf(canHideTools())('finds them without ss too', async () => {
    const { pid, own } = await start();
    const { found, partly } = await look(pid, withoutTools(sockets, ['ss']));
    expectOwn(found, own);
    expect(partly).toEqual([expect.stringMatching(/no ss/)]);
  });

  it.runIf(canHideTools())('looks into the network namespace of the process', async () => {
    const inside = 'ip link set lo up; exec python3 -u -c "$PROGRAM"';
    const live = await startProcess('unshare', ['-n', 'sh', '-c', inside], {
      env: { ...process.env, PROGRAM: PROGRAM.replace('"ready "', '"own "') },
    });
    const own = JSON.parse((await live.line(/^own /)).slice(4)) as Own;
    const { found, evidence } = await look(live.pid);
    expectOwn(found, own);
    expect(Buffer.from(evidence.stdout).toString()).toContain('namespace other');
  });

  // What ss of other ages prints, around the inode of a socket that is really there.
  it.each([
    [
      'iproute 2.6.32 (CentOS 6)',
      (inode: string) => `State      Recv-Q Send-Q        Local Address:Port          Peer Address:Port
ESTAB      4000   0                 127.0.0.1:38072            127.0.0.1:6379   timer:(keepalive,12sec,0) ino:${inode} sk:ffff88003
\t ts sack cubic wscale:7,7 rto:203 rtt:3.5/1.5 cwnd:10 ssthresh:7 send 38.9Mbps rcv_rtt:4 rcv_space:14480
ESTAB      9      9                 127.0.0.1:1            127.0.0.1:2   ino:1${inode} sk:ffff88003
`,
      {
        local: '127.0.0.1:38072',
        receiveQueue: 4000,
        timer: 'keepalive,12sec,0',
        bytesReceived: null,
        lastReceivedMs: null,
      },
    ],
    [
      'iproute 4.11 (CentOS 7)',
      (inode: string) => `State      Recv-Q Send-Q Local Address:Port               Peer Address:Port
CLOSE-WAIT 1      0      127.0.0.1:38072              127.0.0.1:6379                timer:(on,200ms,3) uid:1000 ino:${inode} sk:ffff9 -->
\t ts sack cubic wscale:7,7 rto:204 rtt:0.5/0.25 ato:40 mss:65483 cwnd:10 bytes_acked:6 bytes_received:77 segs_out:4 segs_in:3 send 10477.3Mbps lastsnd:10 lastrcv:20 lastack:10 pacing_rate 20954.6Mbps
`,
      { state: 'CLOSE-WAIT', bytesReceived: 77, bytesSent: 6, lastReceivedMs: 20, lastSentMs: 10, timer: 'on,200ms,3' },
    ],
    [
      'iproute 4.15 (Ubuntu 18.04), with the kind in front',
      (inode: string) => `Netid  State   Recv-Q  Send-Q    Local Address:Port     Peer Address:Port
tcp    ESTAB   0       64        [::1]:38072            [::1]:6379   users:(("a b",pid=1,fd=3)) ino:${inode} sk:3 <->\t ts sack cubic bytes_acked:9 segs_in:3 lastsnd:10
`,
      { local: '[::1]:38072', sendQueue: 64, bytesReceived: 0, lastReceivedMs: 0, lastSentMs: 10 },
    ],
  ])('understands %s', async (_, text, expected) => {
    const { pid, own } = await start();
    const folder = mkdtempSync(join(tmpdir(), 'straceback-ss-'));
    folders.push(folder);
    writeFileSync(join(folder, 'text'), text(own.reader[1]));
    const script =
      '#!/bin/sh\ncase "$*" in "-t -a"*) cat "$(dirname "$0")/text" ;; -V) echo ss utility, iproute2-ss ;; esac\n';
    writeFileSync(join(folder, 'ss'), script);
    chmodSync(join(folder, 'ss'), 0o755);
    const old: Probe<SocketsData> = {
      ...sockets,
      command: (step) => {
        const { argv, ...rest } = sockets.command(step);
        return { ...rest, argv: ['env', `PATH=${folder}:/usr/sbin:/usr/bin:/sbin:/bin`, ...argv] };
      },
    };
    const { found } = await look(pid, old);
    const tcp = found.filter((socket) => socket.kind === 'tcp');
    expect(tcp).toMatchObject([
      { fd: own.reader[0], inode: own.reader[1], peer: expect.stringMatching(/6379$/), ...expected },
    ]);
  });

  it.runIf(process.getuid?.() === 0)('says that it was not permitted', async () => {
    const { pid } = await start();
    expect((await runProbe(sockets, { pid, uid: 65_534 })).parsed).toMatchObject({
      ok: false,
      reason: 'no-permission',
    });
  });
});
