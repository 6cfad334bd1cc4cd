import { beforeAll, describe, expect, it } from 'vitest';
import { oomKilled } from '../../../playbooks/causes/oom-killed.ts';
import type { Probe } from '../../../playbooks/model/index.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { changedLook, firstFinding, loadLook, type TakenLook, verdictOn } from '../../support/record-look.ts';

let probes: ReadonlyMap<string, Probe>;
beforeAll(async () => {
  probes = await loadProbes();
});

interface Kill {
  /** Seconds before the look. */
  readonly before: number;
  readonly pid?: number;
  readonly comm?: string;
  readonly cgroup?: string;
  readonly scope?: 'MEMCG' | 'NONE';
}

interface Family {
  readonly cgroup?: string;
  readonly oomKills?: string;
  /** Lines of the identify script for parent, siblings and children. */
  readonly relatives?: readonly string[];
  /** Seconds since the target started. */
  readonly age?: number;
}

const relative = (label: string, pid: number, age: number, comm = 'python3') =>
  `${label} ${pid}: S, ${age.toFixed(2)} s old, catches 0000000000000000, "${comm}", ${comm} app.py`;

const MASTER = [relative('parent', 700, 7200, 'python3')];
const SERVICE = '/system.slice/crawler.service';

/** Lines as kernels write them since 5.0 (mm/oom_kill.c), with dmesg's ISO times. */
const logLines = (kills: readonly Kill[], now: number): string =>
  kills
    .map(({ before, pid = 900, comm = 'python3', cgroup = SERVICE, scope = 'MEMCG' }) => {
      const time = new Date((now - before) * 1000).toISOString().replace('.', ',').replace('Z', '000+00:00');
      const group = cgroup === '' ? '' : `,task_memcg=${cgroup}`;
      return (
        `${time} oom-kill:constraint=CONSTRAINT_${scope},nodemask=(null),cpuset=/,mems_allowed=0${group},task=${comm},pid=${pid},uid=0\n` +
        `${time} ${scope === 'MEMCG' ? 'Memory cgroup out' : 'Out'} of memory: Killed process ${pid} (${comm}) total-vm:2097152kB, anon-rss:1048576kB, file-rss:6644kB, shmem-rss:0kB, UID:0 pgtables:120kB oom_score_adj:0`
      );
    })
    .join('\n');

const lookWith = (kills: readonly Kill[], family: Family = {}): TakenLook => {
  const base = loadLook('healthy/idle_server');
  const { age = 30, cgroup = SERVICE, oomKills = '0', relatives = MASTER } = family;
  const identified = changedLook(base, 'identify', (text) =>
    text
      .replace(
        /^start time: (\d+) clock ticks after boot, [\d.]+ s ago$/m,
        `start time: $1 clock ticks after boot, ${age.toFixed(2)} s ago`,
      )
      .replace(
        /^cgroup: .*$/m,
        `cgroup: limit 1073741824 bytes, used 900000000 bytes, oom kills ${oomKills}, ${cgroup}`,
      )
      .replace(/^(parent|child|sibling) .*\n/gm, '')
      .replace(/^host kernel/m, `${relatives.join('\n')}\nhost kernel`),
  );
  const text = Buffer.from(base.evidence.find((each) => each.probe === 'identify')?.stdout ?? []).toString();
  const ticks = Number(/^start time: (\d+)/m.exec(text)?.[1]);
  const booted = Number(/^host booted at: (\d+)/m.exec(text)?.[1]);
  const now = booted + ticks / 100 + age;
  return changedLook(
    identified,
    'kernel-log',
    () => `kernel-log 1\nbooted at: ${booted}\nzone: +0000\nsource: dmesg\n${logLines(kills, now)}\nend\n`,
  );
};

const judge = (kills: readonly Kill[], family?: Family, without: readonly string[] = []) =>
  verdictOn(oomKilled, lookWith(kills, family), probes, without);

describe('fires', () => {
  it('for a worker of the same unit, with who, when, how much and the limit', () => {
    const finding = firstFinding(judge([{ before: 45 }]));
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toBe(
      'The kernel killed process 900 (`python3`), a process of the same control group, for want of memory: 1.0 GiB resident',
    );
    expect(finding.summary).toMatch(/45 s before the look/);
    expect(finding.summary).toContain('its control group had reached its memory limit (1.0 GiB now)');
    expect(finding.evidence[0]?.text).toContain('Killed process 900 (python3)');
    expect(finding.fixes[1]?.code).toContain('systemctl set-property crawler.service');
  });

  it('for a child or a sibling that is still seen', () => {
    const finding = firstFinding(
      judge([{ before: 2, pid: 905, cgroup: '', scope: 'NONE' }], {
        cgroup: '/',
        relatives: [...MASTER, relative('sibling', 905, 100)],
      }),
    );
    expect(finding.confidence).toBe(0.95);
    expect(finding.title).toContain('a sibling of this process');
  });

  it('for one of the same name that this one replaced under a master that outlived it', () => {
    const finding = firstFinding(judge([{ before: 33, cgroup: '', scope: 'NONE' }], { cgroup: '/' }));
    expect(finding.confidence).toBeCloseTo(0.7);
    expect(finding.summary).toContain('their master is older than the kill');
    expect(finding.summary).toContain('Inferred');
  });

  it('for a kill of the whole host in a container’s group', () => {
    const cgroup = `/docker/${'ab'.repeat(32)}`;
    expect(firstFinding(judge([{ before: 600, cgroup, scope: 'NONE' }], { cgroup })).confidence).toBeGreaterThanOrEqual(
      0.8,
    );
  });

  it('by the group’s counter when the log does not tell', () => {
    const finding = firstFinding(judge([{ before: 45 }], { oomKills: '3' }, ['kernel-log']));
    expect(finding.title).toContain('killed 3 processes of this control group');
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.summary).toContain('Inferred');
  });

  it('counts how often it happened', () => {
    expect(
      firstFinding(judge([{ before: 4000, pid: 901 }, { before: 2000, pid: 902 }, { before: 45 }])).summary,
    ).toContain('one of 3 such kills');
  });
});

describe('is no headline', () => {
  it('when it was days ago', () => {
    expect(firstFinding(judge([{ before: 300_000 }])).confidence).toBeLessThan(0.5);
  });
});

describe('is clear', () => {
  const verdictWhy = (kills: readonly Kill[], family?: Family) => {
    const verdict = judge(kills, family);
    return verdict.verdict === 'clear' ? verdict.why : `${verdict.verdict}`;
  };

  it('when the log has no kill', () => {
    expect(verdictWhy([])).toContain('no kill');
  });

  it('for a process of the same name in another service', () => {
    expect(verdictWhy([{ before: 3600, cgroup: '/system.slice/other.service' }])).toContain('nothing ties');
    expect(verdictWhy([{ before: 31, cgroup: '/system.slice/other.service' }])).toContain('nothing ties');
  });

  it('for one of the same name, killed an hour ago, of which no group is known', () => {
    expect(verdictWhy([{ before: 3600, cgroup: '', scope: 'NONE' }], { cgroup: '/' })).toContain('nothing ties');
  });

  it('for a restart at the same moment by init, which starts everything', () => {
    const init = [relative('parent', 1, 100_000, 'systemd'), relative('sibling', 950, 30)];
    expect(verdictWhy([{ before: 33, cgroup: '', scope: 'NONE' }], { cgroup: '/', relatives: init })).toContain(
      'nothing ties',
    );
  });

  it('for a kill of the host in a group that everything shares', () => {
    expect(verdictWhy([{ before: 3600, cgroup: '/user.slice', scope: 'NONE' }], { cgroup: '/user.slice' })).toContain(
      'nothing ties',
    );
  });

  it('for a pid that was used again', () => {
    const { pid } = loadLook('healthy/idle_server').recorded;
    expect(verdictWhy([{ before: 3600, pid, cgroup: '/system.slice/other.service' }])).toContain('nothing ties');
  });
});

describe('cannot tell', () => {
  it('without identity', () => {
    expect(judge([], {}, ['identify'])).toMatchObject({ verdict: 'cannot-tell', wants: ['identify'] });
  });

  it('without the kernel’s log and without a counter', () => {
    expect(judge([], { oomKills: '?' }, ['kernel-log'])).toMatchObject({
      verdict: 'cannot-tell',
      wants: ['kernel-log'],
    });
  });
});
