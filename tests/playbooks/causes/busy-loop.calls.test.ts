import { beforeAll, describe, expect, it } from 'vitest';
import { busyLoop } from '../../../playbooks/causes/busy-loop.ts';
import type { Probe } from '../../../playbooks/model/index.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { changedLook, firstFinding, loadLook, verdictOn } from '../../support/record-look.ts';

let probes: ReadonlyMap<string, Probe>;
beforeAll(async () => {
  probes = await loadProbes();
});

const judge = (name: string, without: readonly string[] = []) =>
  verdictOn(busyLoop, loadLook(`busy-loop/${name}`), probes, without);

describe('a spin over system calls', () => {
  it('at the end of a connection names descriptor, state and the frame', () => {
    const finding = firstFinding(judge('line_client'));
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(/spins over recvfrom in `LineClient\.read_line`/);
    expect(finding.summary).toMatch(
      /descriptor \d+ \(tcp 127\.0\.0\.1:\d+ to 127\.0\.0\.1:\d+, CLOSE-WAIT\) gives 0 bytes at once/,
    );
    expect(finding.evidence.some((quote) => quote.text.includes('= 0 <'))).toBe(true);
  });

  it('without waiting for readiness', () => {
    expect(firstFinding(judge('feed_poller')).summary).toContain('fails with EAGAIN at once');
  });

  it('that is told of bytes which nobody takes', () => {
    const finding = firstFinding(judge('mux_server'));
    expect(finding.title).toContain('epoll_wait');
    expect(finding.fixes[0]?.title).toContain('Take what is ready');
  });

  it.each(['line_client', 'feed_poller', 'mux_server'])(
    '%s cannot be told without a trace, and asks for one',
    (name) => {
      expect(judge(name, ['strace'])).toMatchObject({ verdict: 'cannot-tell', wants: ['strace'] });
    },
  );
});

describe('what moves and brings nothing', () => {
  it('is a child that is asked for without a pause', () => {
    const finding = firstFinding(judge('child_poll'));
    expect(finding.title).toContain('spins over wait4');
    expect(finding.summary).not.toContain('descriptor');
  });

  it('is a connection that is refused on a new socket each time', () => {
    const finding = firstFinding(judge('reconnect'));
    expect(finding.title).toContain('spins over connect');
    expect(finding.summary).toContain('ECONNREFUSED');
  });

  it('is a value that is asked for until a deadline', () => {
    const finding = firstFinding(judge('deadline_poll'));
    expect(finding.confidence).toBeCloseTo(0.6, 2);
    expect(finding.summary).toContain('it ends at its deadline');
  });

  it('is a count of pages that nobody reads', () => {
    const finding = firstFinding(judge('pages'));
    expect(finding.confidence).toBeGreaterThanOrEqual(0.5);
    expect(finding.summary).toContain('`while cursor:`');
    expect(finding.summary).toContain('it counts rounds');
  });
});

describe('native code', () => {
  it('that goes round and finds nothing is told by what it goes over', () => {
    const finding = firstFinding(judge('shard_pick'));
    expect(finding.confidence).toBeGreaterThanOrEqual(0.5);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.title).toContain('`Ring.next_shard`');
    expect(finding.summary).toContain('Its innermost C functions were');
  });
});

describe('a loop that says the same again and again', () => {
  it('is named with what it says and where to', () => {
    const finding = firstFinding(judge('endpoint_client'));
    expect(finding.confidence).toBeCloseTo(0.8, 2);
    expect(finding.title).toMatch(/`Client\.run` .*says the same again and again/);
    expect(finding.summary).toMatch(/writes of the same text to `3<\/srv\/app\/run\/client\.log>`/);
    expect(finding.summary).toContain('Inferred: that what it says is all');
    expect(finding.fixes[0]?.code).toContain('2 ** attempt');
  });

  it('is traced before it is called healthy', () => {
    expect(judge('endpoint_client', ['strace'])).toMatchObject({ verdict: 'cannot-tell', wants: ['strace'] });
  });

  it('is no fault when the texts differ by more than the time', () => {
    let number = 0;
    const look = changedLook(loadLook('busy-loop/endpoint_client'), 'strace', (text) =>
      text.replace(/cannot connect/g, () => {
        number += 1;
        return `batch ${number} done`;
      }),
    );
    expect(verdictOn(busyLoop, look, probes)).toMatchObject({ verdict: 'clear' });
  });

  it('is no fault when they are answers on a socket', () => {
    const look = changedLook(loadLook('busy-loop/endpoint_client'), 'strace', (text) =>
      text.replaceAll('3</srv/app/run/client.log>', '3<socket:[4711]>'),
    );
    expect(verdictOn(busyLoop, look, probes)).toMatchObject({ verdict: 'clear' });
  });
});

it('in a green thread is found in the callback, with the trace silent', () => {
  const finding = firstFinding(judge('green_recall'));
  expect(finding.confidence).toBeGreaterThan(0.9);
  expect(finding.title).toContain('`NewUserRecall.get_anchor_by_sn`');
});

it('does not take the allocator’s calls for a spin over system calls', () => {
  const look = changedLook(loadLook('busy-loop/settle_orders'), 'strace', (text) =>
    text.replace(
      /^== detail ended/m,
      `${Array.from({ length: 200 }, (_, at) => `26523 1795282113.${100000 + at * 50} ${at % 2 ? 'munmap(0x7f1100000000, 262144) = 0' : 'mmap(NULL, 262144, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f1100000000'} <0.000010>`).join('\n')}\n== detail ended`,
    ),
  );
  const finding = firstFinding(verdictOn(busyLoop, look, probes));
  expect(finding.title).not.toMatch(/mmap|munmap/);
  expect(finding.summary).toContain('only take memory and give it back');
});

it('is a hint only while the kernel works for it and nobody traced what for', () => {
  const look = changedLook(loadLook('busy-loop/settle_orders'), 'sample', (text) =>
    text.replace(
      /user (\d+\.\d+) s, system \d+\.\d+ s, switches/g,
      (_, user: string) => `user ${user} s, system ${(Number(user) * 0.06).toFixed(2)} s, switches`,
    ),
  );
  const verdict = verdictOn(busyLoop, look, probes, ['strace']);
  expect(verdict).toMatchObject({ wants: ['strace'] });
  expect(firstFinding(verdict).confidence).toBeLessThan(0.5);
});
