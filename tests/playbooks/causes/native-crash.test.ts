import { beforeAll, describe, expect, it } from 'vitest';
import { nativeCrash } from '../../../playbooks/causes/native-crash.ts';
import type { Probe } from '../../../playbooks/model/index.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, sayOf } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, verdictOn } from '../../support/record-look.ts';

let probes: ReadonlyMap<string, Probe>;
beforeAll(async () => {
  probes = await loadProbes();
});

const THUMBS = 'native-crash/thumbnail_master';
const BLUR = 'native-crash/blur_pool';

describe('fires', () => {
  it('with function, extension and Python line when a core was opened', () => {
    const finding = firingOn(nativeCrash, THUMBS);
    expect(finding.confidence).toBe(0.95);
    expect(finding.title).toMatch(
      /^Workers of this process die by SIGSEGV in `row_average` of `thumbs\.\S+` \(`\S*thumbs\.c:\d+`\), called from `Thumbnailer\.make` \(`\S+thumbnail_master\.py:29`\)$/,
    );
    expect(quoted(finding)).toMatch(/^core "/m);
    expect(quoted(finding)).toMatch(/^#0 .*"row_average"/m);
    expect(finding.fixes[0]?.code).toContain('dpkg -S /srv/shop/thumbs.');
  });

  it.each([
    ['the interpreter', /(executable "\/usr\/bin\/python3\.11" build id \w+, on disk )\w+/, '/usr/bin/python3.11'],
    ['the extension', /(crashed in "\S+" ?\+?\S* build id \w+, on disk )\w+/, 'thumbs.cpython-311-x86_64-linux-gnu.so'],
  ])('and says that %s on disk is of another build by now', (_, pattern, file) => {
    const replaced = changedLook(loadLook(THUMBS), 'core-stacks', (text) =>
      text.replace(pattern, '$10123456789abcdef0123456789abcdef01234567'),
    );
    const { summary } = firstFinding(verdictOn(nativeCrash, replaced, probes));
    expect(summary).toMatch(/The core was written by another build of `[^`]*`/);
    expect(summary).toContain(file);
    expect(summary).toContain('0123456789abcdef0123456789abcdef01234567');
  });

  it('with less before the core is opened, and asks for that', () => {
    const verdict = sayOf(nativeCrash, THUMBS, ['core-stacks']);
    const finding = firstFinding(verdict);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.confidence).toBeGreaterThanOrEqual(0.8);
    expect(finding.title).toContain('thumbs.');
    expect(verdict).toMatchObject({ wants: ['core-stacks'] });
  });

  it('by the kernel’s words alone: the code lay where only forks of this process have it', () => {
    const finding = firingOn(nativeCrash, THUMBS, ['core-stacks', 'strace', 'log-tail']);
    const withoutCores = changedLook(loadLook(THUMBS), 'coredumps', (text) => text.replace(/^core .*\n/gm, ''));
    const byKernel = firstFinding(verdictOn(nativeCrash, withoutCores, probes, ['core-stacks', 'strace', 'log-tail']));
    expect(finding.confidence).toBeGreaterThan(0.8);
    expect(byKernel.confidence).toBeGreaterThanOrEqual(0.8);
    expect(byKernel.title).toContain('thumbs.');
    expect(byKernel.fixes.map((fix) => fix.code).join()).toContain('prlimit --pid');
  });

  it('by a log without cores: says that the extension is not known, and how to get a core', () => {
    const finding = firingOn(nativeCrash, BLUR, ['strace']);
    expect(finding.confidence).toBeGreaterThanOrEqual(0.6);
    expect(finding.confidence).toBeLessThanOrEqual(0.85);
    expect(finding.title).toContain('SIGABRT');
    expect(finding.summary).toMatch(/Inferred: which extension did it/);
    expect(finding.fixes[0]?.detail).toContain('the limit on cores is 0');
  });

  it('with the extension that uWSGI’s own backtrace shows, without its handler and the C library', () => {
    const frames = [
      'uwsgi(uwsgi_segfault+0x23) [0x55d62aa7a8f3]',
      '/lib/x86_64-linux-gnu/libc.so.6(+0x3c050) [0x7f96cf2ae050]',
      '/srv/shop/thumbs.so(scale+0x17b) [0x7f96cc4ec17b]',
      '/lib/x86_64-linux-gnu/libpython3.11.so.1.0(_PyEval_EvalFrameDefault+0x4a63) [0x7f96cc709c63]',
      '/usr/lib/uwsgi/plugins/python3_plugin.so(uwsgi_request_wsgi+0x10) [0x7f96cc709c63]',
    ].map((text, index) => `line 1 @ ${index} detail time ?: "${text}"`);
    const look = changedLook(loadLook(BLUR), 'log-tail', (text) =>
      text.replace(
        /^line 1 .*$/m,
        `line 1 @ 0 segfault time ?: "!!! uWSGI process 77 got Segmentation Fault !!!"\n${frames.join('\n')}`,
      ),
    );
    const finding = firstFinding(verdictOn(nativeCrash, look, probes, ['strace', 'kernel-log', 'core-stacks']));
    expect(finding.title).toContain('`thumbs.so`');
    expect(finding.evidence[0]?.text).toContain('thumbs.so(scale+0x17b)');
  });

  it('by a trace of the master alone', () => {
    const finding = firingOn(nativeCrash, BLUR, ['log-tail', 'kernel-log']);
    expect(quoted(finding)).toMatch(/CLD_(KILLED|DUMPED)|WTERMSIG/);
    expect(finding.title).toContain('SIGABRT');
  });

  it('as history and no headline when it was days ago', () => {
    const aged = changedLook(loadLook(BLUR), 'identify', (text) =>
      text.replace(/^(start time: \d+ clock ticks after boot, )[\d.]+ s ago$/m, '$1900000.00 s ago'),
    );
    const verdict = verdictOn(nativeCrash, aged, probes, ['strace', 'kernel-log', 'coredumps', 'core-stacks']);
    expect(firstFinding(verdict).confidence).toBeLessThan(0.5);
  });
});

describe('is clear', () => {
  it('of a master that ends its own slow workers', () => {
    expect(clearOn(nativeCrash, 'healthy/kills_slow_workers')).not.toBe('');
  });

  it('of crashes of other processes on the host, whatever they are called', () => {
    const lines = Buffer.from(loadLook(THUMBS).evidence.find((each) => each.probe === 'kernel-log')?.stdout ?? []);
    expect(lines.toString()).toMatch(/python3\[\d+\]: segfault/);
    for (const name of ['healthy/busy_server', 'healthy/process_pool', 'healthy/child_waiter']) {
      const look = changedLook(loadLook(name), 'kernel-log', () => lines.toString());
      const verdict = verdictOn(nativeCrash, look, probes);
      const findings = verdict.verdict === 'fires' ? verdict.findings : [];
      expect(findings, name).toEqual([]);
    }
  });

  it('of a program that has the same extension at another place', () => {
    const moved = changedLook(loadLook(THUMBS), 'coredumps', (text) =>
      text
        .replace(/^core .*\n(?: {2}.*\n)*/gm, '')
        .replace(/^(code: .* at )7f/gm, '$17a')
        .replace(/-7f/g, '-7a'),
    );
    const verdict = verdictOn(nativeCrash, moved, probes, ['core-stacks', 'strace', 'log-tail']);
    expect(verdict.verdict).not.toBe('fires');
  });
});

describe('cannot tell', () => {
  it('without cores, logs and the kernel’s log', () => {
    const verdict = sayOf(nativeCrash, THUMBS, ['coredumps', 'log-tail', 'kernel-log', 'strace', 'core-stacks']);
    expect(verdict).toMatchObject({ verdict: 'cannot-tell', wants: ['coredumps', 'log-tail', 'kernel-log'] });
  });

  it('how young workers of an old master end, and asks for a trace', () => {
    const verdict = sayOf(nativeCrash, 'native-crash/blur_pool', ['log-tail', 'strace', 'core-stacks']);
    expect(verdict).toMatchObject({ verdict: 'cannot-tell', wants: ['strace'] });
    const killed = sayOf(nativeCrash, 'healthy/kills_slow_workers', ['strace', 'core-stacks']);
    expect(killed).toMatchObject({ verdict: 'cannot-tell', wants: ['strace'] });
  });
});

it('never throws', () => expectNeverThrowsOn(nativeCrash, [THUMBS, BLUR]));
