import { beforeAll, describe, expect, it } from 'vitest';
import { askedName } from '../../../playbooks/causes/dns-stall.names.ts';
import { dnsStall } from '../../../playbooks/causes/dns-stall.ts';
import type { Probe } from '../../../playbooks/model/index.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, untoldOn } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, lookNames, verdictOn } from '../../support/record-look.ts';

let probes: ReadonlyMap<string, Probe>;
beforeAll(async () => {
  probes = await loadProbes();
});

describe('fires', () => {
  it('for a pool whose lookups are slow, once for all threads, with the function and what the resolver allows', () => {
    const finding = firingOn(dnsStall, 'dns-stall/mail_router');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(
      /^4 threads wait in `deliver` \(`\/srv\/app\/dns-stall\/mail_router\.py:\d+`\) for name server 127\.0\.0\.1:53 to answer one slow lookup after the other$/,
    );
    expect(finding.summary).toContain('`/etc/resolv.conf` names 127.0.0.1: each is given 5 s and asked 2 times');
    expect(quoted(finding)).toMatch(/getaddrinfo .*socket\.py/);
    expect(quoted(finding)).toMatch(/name server udp 127\.0\.0\.1:53: asked in/);
    expect(finding.fixes.map((fix) => fix.code).join('\n')).toMatch(
      /@127\.0\.0\.1 NAME[\s\S]*timeout:1 attempts:2[\s\S]*AF_INET/,
    );
  });

  it('for one lookup that is never answered', () => {
    const finding = firingOn(dnsStall, 'dns-stall/rate_import');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(
      /^The main thread waits in `RateImport\.fetch` .* for name server 127\.0\.0\.1:53 to answer$/,
    );
    expect(finding.summary).toContain('No answer came in that time');
  });

  it('for a function without a frame of its own, by its wait and the socket, and names what is inferred', () => {
    const finding = firingOn(dnsStall, 'dns-stall/access_log');
    expect(finding.confidence).toBe(0.8);
    expect(finding.title).toContain('waits in `annotate`');
    expect(finding.summary).toContain('Inferred: that the wait of this thread is the one for the name server');
  });

  it('without Python stacks, by the socket', () => {
    expect(firingOn(dnsStall, 'dns-stall/rate_import', ['py-stacks']).confidence).toBe(0.8);
  });

  it('less surely when no question was seen', () => {
    const finding = firingOn(dnsStall, 'dns-stall/rate_import', ['socket-rates', 'sockets', 'resolver']);
    expect(finding.confidence).toBe(0.75);
    expect(finding.summary).toContain('Inferred: which service keeps it waiting');
  });

  it('as a hint when lookups took a part of the window', () => {
    const look = changedLook(loadLook('dns-stall/rate_import'), 'py-stacks', (text) =>
      text.replace(
        /stack (\d+) of (\d+)/g,
        (_, seen: string, all: string) => `stack ${Math.floor(Number(seen) * 0.35)} of ${all}`,
      ),
    );
    const finding = firstFinding(verdictOn(dnsStall, look, probes));
    expect(finding.confidence).toBe(0.45);
  });
});

describe('is clear', () => {
  it('of a program that looks up names all the time and is answered', () => {
    expect(clearOn(dnsStall, 'healthy/bulk_lookup')).toMatch(
      /looks up names at 127\.0\.0\.1:53, and an answer takes about/,
    );
  });

  it('of a name server, which waits for such sockets by trade', () => {
    const look = changedLook(loadLook('dns-stall/access_log'), 'sockets', (text) =>
      text.replace(/^udp /m, 'udp fd=60 UNCONN 0 0 0.0.0.0:53 0.0.0.0:* ino:9\nudp '),
    );
    expect(verdictOn(dnsStall, look, probes).verdict).toBe('clear');
  });

  it.each(lookNames('blocked-on-network'))('of %s', (name) => {
    clearOn(dnsStall, name);
  });
});

describe('cannot tell', () => {
  it('without a window', () => {
    expect(untoldOn(dnsStall, 'dns-stall/mail_router', ['sample']).wants).toEqual(['sample']);
  });
});

describe('the name in a traced question', () => {
  it.each([
    [
      String.raw`3<socket:[1]>, "3\23\1\0\0\1\0\0\0\0\0\0\5host1\7example\3com\0\0\1\0\1", 35, MSG_NOSIGNAL, NULL, 0`,
      'host1.example.com',
    ],
    [
      String.raw`3, [{msg_hdr={msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="\237\n\1\0\0\1\0\0\0\0\0\0\3api\4corp\0\0\1\0\1", iov_len=26}]`,
      'api.corp',
    ],
    [String.raw`3, "3\23\201\200\0\1\0\1\0\0\0\0\5host1\0\0\1\0\1", 30`, null],
    [String.raw`3, "3\23\1\0\0\1\0\0\0\0\0\0\5host1\7exam"..., 35`, null],
    ['3, "GET / HTTP/1.1\\r\\nHost: a\\r\\n", 30', null],
    ['', null],
  ])('%s', (args, name) => {
    expect(askedName(args)).toBe(name);
  });
});

it('never throws', () => {
  expectNeverThrowsOn(dnsStall, lookNames('dns-stall'));
});
