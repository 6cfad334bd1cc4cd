import { beforeAll, describe, expect, it } from 'vitest';
import { allocatorRetention } from '../../../playbooks/causes/allocator-retention.ts';
import type { Probe } from '../../../playbooks/model/index.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, untoldOn } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, type TakenLook, verdictOn } from '../../support/record-look.ts';

const OFFLINE = 'allocator-retention/offline';
const ROWS = 'allocator-retention/row_index';
const REPORT = 'allocator-retention/report_builder';

let probes: ReadonlyMap<string, Probe>;
beforeAll(async () => {
  probes = await loadProbes();
});

const confidenceOn = (look: TakenLook, without: readonly string[] = []): number =>
  firstFinding(verdictOn(allocatorRetention, look, probes, without)).confidence;

describe('fires', () => {
  it('for arenas that threads left behind, mostly free', () => {
    const finding = firingOn(allocatorRetention, OFFLINE);
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(/^malloc keeps \d+ MiB that the program has freed: \d+ % of its \d+ MiB resident$/);
    expect(finding.summary).toMatch(/MiB resident: \d+ MiB free in malloc \(\d+ %\)/);
    expect(finding.summary).toMatch(/in \d+ arenas beside the main one/);
    expect(quoted(finding)).toMatch(/all arenas: [\s\S]*end counters: resident[\s\S]*end arena: /);
    const [preload, arenas, trim] = finding.fixes;
    expect(preload?.code).toMatch(
      /^cd \/srv\/app && env LD_PRELOAD=\/usr\/lib\/x86_64-linux-gnu\/libtcmalloc_minimal\.so\.4 TCMALLOC_AGGRESSIVE_DECOMMIT=1 \/usr\/bin\/python3 offline\.py\ngrep -m1 libtcmalloc_minimal\.so\.4 \/proc\/NEW_PID\/maps/,
    );
    expect(preload?.detail).toMatch(/libjemalloc\.so\.2[\s\S]*forks/);
    expect(arenas?.code).toContain('MALLOC_ARENA_MAX=2');
    expect(trim?.title).toMatch(/malloc_trim\(0\) would free \d+ MiB/);
  });

  it('for one heap whose end is in use, where fewer arenas would not help', () => {
    const finding = firingOn(allocatorRetention, REPORT);
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.summary).toContain('Most of it lies in the main heap');
    expect(finding.fixes.map((fix) => fix.title).join()).not.toContain('ARENA');
    expect(quoted(finding)).toMatch(/^end heap: /m);
  });

  it('for arenas of Python’s own allocator, and wants them counted where they were not', () => {
    const finding = firingOn(allocatorRetention, ROWS);
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toMatch(/^Python's allocator keeps \d+ MiB that the program has freed/);
    expect(quoted(finding)).toMatch(/pymalloc [\s\S]*end counters[\s\S]*end anonymous: /);
    expect(untoldOn(allocatorRetention, ROWS, ['py-heap']).wants).toEqual(['py-heap']);
  });

  it('for arenas of Python’s own allocator beside much in malloc’s heap that is in use', () => {
    const history = 'allocator-retention/price_history';
    expect(firingOn(allocatorRetention, history).title).toMatch(/^Python's allocator keeps \d+ MiB/);
    expect(untoldOn(allocatorRetention, history, ['py-heap']).wants).toEqual(['py-heap']);
    expect(untoldOn(allocatorRetention, history, ['malloc', 'py-heap']).wants).toEqual(['malloc', 'py-heap']);
  });

  it('with a drop-in for a process of a systemd unit', () => {
    const look = changedLook(loadLook(OFFLINE), 'identify', (text) =>
      text.replace(/^(cgroup: .*), \S+$/m, '$1, /system.slice/offline.service'),
    );
    const code = firstFinding(verdictOn(allocatorRetention, look, probes)).fixes[0]?.code ?? '';
    expect(code).toContain('/etc/systemd/system/offline.service.d/malloc.conf');
    expect(code).toContain('\'Environment="LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4"\'');
    expect(code).toContain('systemctl daemon-reload && systemctl restart offline.service');
    expect(code).toContain('/proc/$(systemctl show -p MainPID --value offline.service)/maps');
  });

  it('with what to install where no allocator is offered', () => {
    const look = changedLook(loadLook(OFFLINE), 'malloc', (text) => text.replace(/^offered: .*\n/gm, ''));
    expect(firstFinding(verdictOn(allocatorRetention, look, probes)).fixes[0]?.code).toContain('apt-get install');
  });

  it('less surely when it was looked at once, and as a hint when memory is used in turns or is little', () => {
    const look = loadLook(OFFLINE);
    const once = changedLook(look, 'malloc', (text) =>
      text.replace(/^look at 0\.[1-9][\s\S]*|^look at [1-9][\s\S]*/m, ''),
    );
    expect(confidenceOn(once)).toBeLessThan(0.9);
    expect(confidenceOn(once)).toBeGreaterThanOrEqual(0.5);
    expect(confidenceOn(look, ['sample'])).toBeLessThan(0.9);
    const moving = changedLook(look, 'memory', (text) =>
      text.replace(
        /^(end counters: resident \d+, anonymous) (\d+)/m,
        (_, head, size) => `${head} ${Number(size) + 20_000}`,
      ),
    );
    expect(confidenceOn(moving)).toBeLessThan(0.5);
    const rested = changedLook(
      changedLook(look, 'sample', (text) =>
        text.replace(/^(process: .*?)user [\d.]+ s, system [\d.]+ s/m, '$1user 0.10 s, system 0.02 s'),
      ),
      'malloc',
      (text) =>
        text.replace(
          /^look at (?=0\.[1-9]|[1-9])/m,
          'in between: walked 5 times, in use from 7 to 7, ran 0.000 s\nlook at ',
        ),
    );
    expect(confidenceOn(rested)).toBeLessThan(0.5);
    const large = changedLook(look, 'memory', (text) =>
      text.replace(/^end counters: resident \d+/m, 'end counters: resident 330000'),
    );
    expect(confidenceOn(large)).toBeLessThan(0.5);
  });
});

describe('is clear', () => {
  it('of a cache that is in use', () =>
    expect(clearOn(allocatorRetention, 'healthy/big_cache')).toMatch(/are free in malloc/));

  it('where another allocator has taken its place', () =>
    expect(clearOn(allocatorRetention, 'healthy/thumbnail_service_tcmalloc')).toMatch(/tcmalloc|heaps hold only/));
});

describe('cannot tell', () => {
  it('without malloc’s books, and wants them', () => {
    const { why, wants } = untoldOn(allocatorRetention, OFFLINE, ['malloc']);
    expect(why).toMatch(/how much of the .* in malloc's heaps is free/);
    expect(wants).toEqual(['malloc']);
  });

  it('without its memory', () => expect(untoldOn(allocatorRetention, OFFLINE, ['memory']).wants).toEqual(['memory']));
});

it('gives no more than a hint for batches that take and give back all the time', () => {
  const verdict = verdictOn(allocatorRetention, loadLook('healthy/memory_batches'), probes);
  const findings = verdict.verdict === 'fires' ? verdict.findings : [];
  for (const finding of findings) expect(finding.confidence).toBeLessThan(0.5);
});

it('answers whatever became of the evidence', () => expectNeverThrowsOn(allocatorRetention, [OFFLINE, REPORT, ROWS]));
