import { beforeAll, describe, expect, it } from 'vitest';
import { busyLoop } from '../../../playbooks/causes/busy-loop.ts';
import type { Probe } from '../../../playbooks/model/index.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { changedLook, firstFinding, loadLook, verdictOn } from '../../support/record-look.ts';

let probes: ReadonlyMap<string, Probe>;
beforeAll(async () => {
  probes = await loadProbes();
});

const SICK = ['full_table', 'plan_step', 'free_worker'];
const finding = (name: string, without: readonly string[] = []) =>
  firstFinding(verdictOn(busyLoop, loadLook(name), probes, without));
/** What is said when its states had been seen otherwise. */
const instead = (from: RegExp, to: string, probe = 'native-motion', name = 'full_table') =>
  firstFinding(
    verdictOn(
      busyLoop,
      changedLook(loadLook(`busy-loop/${name}`), probe, (text) => text.replace(from, to)),
      probes,
    ),
  );

describe('a thread that comes back to the states that it was in', () => {
  it.each(SICK)('%s goes round', (name) => {
    const { confidence, title, summary, evidence } = finding(`busy-loop/${name}`);
    expect(confidence).toBeGreaterThanOrEqual(0.7);
    expect(confidence).toBeLessThanOrEqual(0.8);
    expect(title).toContain('without getting anywhere');
    expect(summary).toContain('strace saw not a single system call');
    expect(summary).toContain('Inferred: ');
    expect(evidence.map((quote) => quote.text).join('\n')).toMatch(/^states: /m);
  });

  it('is less sure without a trace, and a hint without its states', () => {
    expect(finding('busy-loop/full_table', ['strace']).confidence).toBe(0.7);
    const verdict = verdictOn(busyLoop, loadLook('busy-loop/full_table'), probes, ['native-motion', 'strace']);
    expect(firstFinding(verdict).confidence).toBeLessThan(0.5);
    expect(verdict).toMatchObject({ wants: ['strace', 'native-motion'] });
  });

  it.each([
    ['it shares memory', /^shared|(?=^states: )/m, 'shared: "/dev/shm/ring"\n', /shares memory \(`\/dev\/shm\/ring`\)/],
    ['it asks for the time', /^end$/m, 'at "[vdso]": 3 looks, 2 addresses, 0x7ff1 to 0x7ff9\nend', /asks for the time/],
    ['it makes system calls', /in 0 looks/, 'in 3 looks', /makes system calls/],
    ['it changed pages unseen', /0 others in between/, '2 others in between', /do not show whether/],
    ['not all of its memory was watched', /0 kB not/, '4096 kB not', /do not show whether/],
    ['the last looks saw other states', /\d+ of the first quarter/, '0 of the first quarter', /do not show whether/],
    ['it was looked at for too short a time', /over 3\.\d\d s/, 'over 0.40 s', /do not show whether/],
    ['it was another thread', /^thread \d+: /m, 'thread 7: ', /cannot be told/],
  ])('stays a hint when %s', (_, from, to, says) => {
    const hint = instead(from, to);
    expect(hint.confidence).toBeLessThan(0.5);
    expect(hint.summary).toMatch(says);
  });

  it('stays a hint while other threads of the process work', () => {
    const hint = instead(
      /^(thread (?!\d+: "node", \d+ samples, states R)\d+: .*, user )0\.00 s/m,
      '$10.90 s',
      'sample',
      'free_worker',
    );
    expect(hint.confidence).toBeLessThan(0.5);
    expect(hint.summary).toContain('other threads of the process were at work');
  });
});

it.each(['matrix_c', 'collatz_c', 'digest_node', 'compress_node'])('%s is never more than a hint', (name) => {
  for (const without of [[], ['strace'], ['native-motion'], ['native-stacks', 'strace']]) {
    const verdict = verdictOn(busyLoop, loadLook(`healthy/${name}`), probes, without);
    const found = verdict.verdict === 'fires' ? verdict.findings : [];
    for (const each of found) expect(each.confidence).toBeLessThan(0.5);
  }
});
