import { describe, expect, it } from 'vitest';
import { type Socket, sockets } from '../../../playbooks/probes/sockets.ts';
import { fixtureStep, loadFixture, parseFixture } from '../../support/fixture.ts';
import { expectSoundOnDamaged } from '../../support/parser-safety.ts';
import { evidenceFrom, stepFor } from '../../support/run-probe.ts';

const socketsOf = (name: string): readonly Socket[] => {
  const parsed = parseFixture(sockets, name);
  if (!parsed.ok) throw new Error(`${name}: ${parsed.why}`);
  return parsed.data.sockets;
};

describe('recorded and written runs', () => {
  it('reads queues, states, ends and what TCP counted', () => {
    const all = socketsOf('6.1-mixed');
    expect(all.find((socket) => socket.fd === 16)).toEqual({
      fd: 16,
      kind: 'tcp',
      state: 'ESTAB',
      local: '127.0.0.1:45220',
      peer: '127.0.0.1:49311',
      receiveQueue: 1000,
      sendQueue: 0,
      inode: '155749',
      bytesReceived: 1000,
      bytesSent: 0,
      lastReceivedMs: 828,
      lastSentMs: 828,
      timer: null,
      at: 4,
    });
    expect(all.find((socket) => socket.fd === 5)).toMatchObject({ bytesSent: 1000, bytesReceived: 0 });
    expect(all.find((socket) => socket.fd === 7)).toMatchObject({ state: 'CLOSE-WAIT', peer: '[::1]:43003' });
    const listener = all.find((socket) => socket.fd === 3);
    expect(listener).toMatchObject({ state: 'LISTEN', sendQueue: 128, bytesReceived: null, lastReceivedMs: null });
    expect(all.find((socket) => socket.kind === 'udp')).toMatchObject({ state: 'UNCONN', fd: 8 });
    expect(all.filter((socket) => socket.kind === 'other').map((socket) => socket.fd)).toEqual([13, 15, 9]);
  });

  it('believes no unix socket whose record could be part of a name', () => {
    const parsed = parseFixture(sockets, '6.1-mixed');
    expect(parsed).toMatchObject({
      ok: true,
      partly: ['1 unix socket could not be told from a name that imitates it'],
    });
  });

  it('reads the same sockets from /proc where there is no ss', () => {
    const key = (socket: Socket) =>
      `${socket.fd} ${socket.kind} ${socket.state} ${socket.receiveQueue} ${socket.inode}`;
    const tcp = (name: string) => socketsOf(name).filter((socket) => ['tcp', 'udp'].includes(socket.kind));
    expect(tcp('proc-mixed').map(key)).toEqual(tcp('6.1-mixed').map(key));
    expect(tcp('proc-mixed').map((socket) => socket.bytesReceived)).toEqual(tcp('proc-mixed').map(() => null));
    expect(parseFixture(sockets, 'proc-mixed')).toMatchObject({ partly: [expect.stringMatching(/no ss/)] });
  });

  it('reads a timer, in another network namespace', () => {
    expect(socketsOf('6.1-namespace').find((socket) => socket.fd === 4)).toMatchObject({
      timer: 'keepalive,119min,0',
      peer: '127.0.0.1:8099',
    });
  });

  it.each([
    ['6.1-no-permission', 'no-permission', /root and by its own user/],
    ['6.1-gone', 'target-gone', /had ended/],
  ])('%s is no observation', (name, reason, why) => {
    expect(parseFixture(sockets, name)).toEqual({ ok: false, reason, why: expect.stringMatching(why) });
  });

  it('says what is missing', () => {
    const { evidence, capture } = loadFixture('sockets', '6.1-mixed');
    const parse = (text: string) => sockets.parse(evidenceFrom('sockets', text), fixtureStep(capture));
    const whole = Buffer.from(evidence.stdout).toString();
    expect(parse(whole.slice(0, 900))).toMatchObject({ partly: [expect.stringMatching(/broken off/)] });
    expect(parse(whole.replace('shown: 16', 'shown: 12'))).toMatchObject({
      partly: expect.arrayContaining(['12 of 16 sockets are shown']),
    });
    expect(parse(whole.replace('== sockets', '== out of time:  tcp\n== sockets'))).toMatchObject({
      partly: expect.arrayContaining([expect.stringMatching(/did not finish/)]),
    });
    expect(parse('bash: sockets.sh: No such file')).toMatchObject({ ok: false, reason: 'not-parsable' });
  });

  it('takes no numbers from the name of a control group', () => {
    const line =
      'tcp fd=3 ESTAB 0 0 a:1 b:2 ino:5 sk:1 cgroup:/x bytes_received:99 <-> cubic segs_in:2 bytes_received:7 ';
    const parsed = sockets.parse(evidenceFrom('sockets', `== ss\n${line}\n`), stepFor(sockets, { pid: 1 }));
    expect(parsed).toMatchObject({ ok: true, data: { sockets: [{ bytesReceived: 7, inode: '5' }] } });
  });

  it('never throws, and never answers with data that its own schema refuses', () => expectSoundOnDamaged(sockets));
});
