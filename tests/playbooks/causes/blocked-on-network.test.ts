import { beforeAll, describe, expect, it } from 'vitest';
import { blockedOnNetwork } from '../../../playbooks/causes/blocked-on-network.ts';
import type { Probe } from '../../../playbooks/model/index.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { changedLook, firstFinding, loadLook, verdictOn } from '../../support/record-look.ts';

let probes: ReadonlyMap<string, Probe>;
beforeAll(async () => {
  probes = await loadProbes();
});

const judge = (name: string, without: readonly string[] = []) =>
  verdictOn(blockedOnNetwork, loadLook(`blocked-on-network/${name}`), probes, without);

describe('fires', () => {
  it('for an HTTP request that was never answered, with peer, queues and the call to change', () => {
    const finding = firstFinding(judge('price_fetcher'));
    expect(finding.confidence).toBe(0.78);
    expect(finding.summary).toMatch(
      /Inferred: that no answer comes any more: it was asked \d[\d.]* s ago, and a slow answer may still come/,
    );
    expect(finding.title).toMatch(
      /^The main thread waits in `PriceSource\.price_of` \(`\/srv\/app\/blocked-on-network\/price_fetcher\.py:\d+`\) for an answer of 127\.0\.0\.1:\d+, without a timeout$/,
    );
    expect(finding.summary).toMatch(/it sent \d+ bytes, .* and has never got a byte/);
    expect(finding.evidence.map((quote) => quote.text)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/in recvfrom \d+ times/),
        expect.stringMatching(/^tcp fd=\d+ ESTAB/),
      ]),
    );
    expect(finding.fixes[0]?.code).toContain('timeout=30');
    expect(finding.fixes[1]?.code).toMatch(/^ss -ltnp 'sport = :\d+'$/);
  });

  it('surely when the question is old', () => {
    const look = changedLook(loadLook('blocked-on-network/price_fetcher'), 'sockets', (text) =>
      text.replace(/lastsnd:\d+/g, 'lastsnd:61000'),
    );
    const finding = firstFinding(verdictOn(blockedOnNetwork, look, probes));
    expect(finding.confidence).toBe(0.9);
    expect(finding.summary).not.toContain('Inferred');
  });

  it('more surely when packets were watched for longer, and none came', () => {
    const taken = changedLook(loadLook('blocked-on-network/price_fetcher'), 'sockets', (text) =>
      text.replace(/lastsnd:\d+/g, 'lastsnd:15000'),
    );
    const watched = (packets: string) => {
      const [first] = taken.evidence;
      if (first === undefined) throw new Error('no evidence');
      const stdout = new TextEncoder().encode(packets);
      return firstFinding(
        verdictOn(
          blockedOnNetwork,
          {
            recorded: taken.recorded,
            evidence: [...taken.evidence, { ...first, id: `E${taken.evidence.length + 1}`, probe: 'tcpdump', stdout }],
          },
          probes,
        ),
      );
    };
    const silent = watched('== ports 4000\n== end: captured 0, dropped 0\n');
    expect(silent.confidence).toBe(0.9);
    expect(silent.evidence.at(-1)?.text).toBe('== ports 4000');
    expect(watched('== ports 4000\n').confidence).toBe(0.86);
    expect(firstFinding(verdictOn(blockedOnNetwork, taken, probes)).confidence).toBe(0.86);
  });

  it('as a hint while a database may still be at a query, more surely when that takes long', () => {
    const asked = (ms: number) =>
      firstFinding(
        verdictOn(
          blockedOnNetwork,
          changedLook(loadLook('blocked-on-network/price_fetcher'), 'sockets', (text) =>
            text
              .replace(/^(tcp .*127\.0\.0\.1:\d+) 127\.0\.0\.1:\d+/gm, '$1 127.0.0.1:5432')
              .replace(/lastsnd:\d+/g, `lastsnd:${ms}`),
          ),
          probes,
        ),
      );
    expect(asked(3000).confidence).toBe(0.45);
    expect(asked(3000).summary).toContain('such as that of a long query');
    expect(asked(30_000).confidence).toBe(0.7);
    expect(asked(61_000).confidence).toBe(0.9);
  });

  it('less surely for a protocol that it does not know', () => {
    const finding = firstFinding(judge('ledger_client'));
    expect(finding.confidence).toBeGreaterThanOrEqual(0.6);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.summary).toContain('Inferred: that the other side owes an answer');
  });

  it('once for all threads that hang at the same place', () => {
    const verdict = judge('gateway');
    expect(verdict.verdict === 'fires' && verdict.findings.length).toBe(1);
    expect(firstFinding(verdict).title).toMatch(/^4 threads wait in `Handler\.load_profile`/);
  });

  it('for a connection that nobody accepts', () => {
    const finding = firstFinding(judge('full_backlog'));
    expect(finding.confidence).toBe(0.95);
    expect(finding.title).toContain('to connect to');
    expect(finding.summary).toContain('of this very process, and its queue is full: 1 connection to be accepted');
    expect(finding.evidence.at(-1)?.text).toMatch(/^tcp fd=3 LISTEN 1 0 /);
  });

  it('for a connection that nobody answers, without a word of a queue that is not full or not its own', () => {
    const look = changedLook(loadLook('blocked-on-network/full_backlog'), 'sockets', (text) =>
      text.replace('LISTEN 1 0', 'LISTEN 1 1'),
    );
    const finding = firstFinding(verdictOn(blockedOnNetwork, look, probes));
    expect(finding.confidence).toBe(0.95);
    expect(finding.summary).not.toContain('queue');
    expect(finding.fixes[1]?.detail).toContain('queue of connections is full');
  });

  it('with a confidence of two digits', () => {
    const look = changedLook(loadLook('blocked-on-network/patient_query'), 'sample', (text) =>
      text.replace(/0xdbba0/g, '0xffffffff'),
    );
    expect(firstFinding(verdictOn(blockedOnNetwork, look, probes)).confidence).toBe(0.68);
  });

  it('for a peer that reads no more', () => {
    const finding = firstFinding(judge('backup_upload'));
    expect(finding.confidence).toBeGreaterThan(0.9);
    expect(finding.title).toContain('to send to');
    expect(finding.summary).toMatch(/not taken by the other side/);
  });

  it('without Python stacks too, and then less surely', () => {
    const finding = firstFinding(judge('price_fetcher', ['py-stacks']));
    expect(finding.confidence).toBeGreaterThanOrEqual(0.5);
    expect(finding.confidence).toBeLessThan(0.7);
  });
});

describe('is clear', () => {
  it('when the thread that waits is given something now and then, as in a slow download', () => {
    const look = changedLook(loadLook('blocked-on-network/price_fetcher'), 'sample', (text) =>
      text.replace('switches 0 voluntary', 'switches 7 voluntary'),
    );
    expect(verdictOn(blockedOnNetwork, look, probes).verdict).toBe('clear');
  });
});

describe('a limit of minutes', () => {
  it('counts nearly as none', () => {
    const finding = firstFinding(judge('patient_query'));
    expect(finding.confidence).toBe(0.6);
    expect(finding.title).toContain('with a timeout of 15 min');
  });

  it('is a hint when somebody may wait for its end', () => {
    const look = changedLook(loadLook('blocked-on-network/patient_query'), 'sample', (text) =>
      text.replace(/0xdbba0/g, '0xea60'),
    );
    expect(firstFinding(verdictOn(blockedOnNetwork, look, probes)).confidence).toBe(0.45);
  });
});

describe('is clear', () => {
  it.each(['idle_server', 'busy_server', 'asyncio_server', 'thread_pool', 'child_waiter', 'consumer'])(
    'for healthy %s',
    (name) => {
      const verdict = verdictOn(blockedOnNetwork, loadLook(`healthy/${name}`), probes);
      expect(verdict.verdict).toBe('clear');
    },
  );

  it('for a server that waits for the next request of a client of its own', () => {
    // The kernel counts the SYN of the side that connected among its acknowledged bytes; without that one it is the server's.
    const look = changedLook(loadLook('blocked-on-network/ledger_client'), 'sockets', (text) =>
      text.replace(/bytes_acked:(\d+)/g, (_, number: string) => `bytes_acked:${Number(number) - 1}`),
    );
    expect(verdictOn(blockedOnNetwork, look, probes).verdict).toBe('clear');
  });

  it('when bytes lie there to be read', () => {
    const look = changedLook(loadLook('blocked-on-network/ledger_client'), 'sockets', (text) =>
      text.replace(/ESTAB 0 0/g, 'ESTAB 12 0'),
    );
    expect(verdictOn(blockedOnNetwork, look, probes).verdict).toBe('clear');
  });

  it('when the thread was in the call for part of the window only', () => {
    const look = changedLook(loadLook('blocked-on-network/price_fetcher'), 'sample', (text) =>
      text.replace(
        /in recvfrom (\d+) times/,
        (_, times: string) => `in recvfrom ${Math.floor(Number(times) / 2)} times`,
      ),
    );
    expect(verdictOn(blockedOnNetwork, look, probes).verdict).toBe('clear');
  });
});

describe('cannot tell', () => {
  it('without a window', () => {
    expect(judge('price_fetcher', ['sample'])).toMatchObject({ verdict: 'cannot-tell', wants: ['sample'] });
  });

  it('when the waits could not be read', () => {
    const look = changedLook(loadLook('blocked-on-network/price_fetcher'), 'sample', (text) =>
      text.replace(/in \w+ (\d+) times, last .*$/gm, 'in an unreadable system call $1 times'),
    );
    expect(verdictOn(blockedOnNetwork, look, probes)).toMatchObject({
      verdict: 'cannot-tell',
      why: expect.stringContaining('root'),
    });
  });
});
