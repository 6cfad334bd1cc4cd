import { describe, expect, it } from 'vitest';
import { ioStall } from '../../../playbooks/causes/io-stall.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, sayOf } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, lookNames, verdictOn } from '../../support/record-look.ts';

const cause = ioStall;
const probes = await loadProbes();

describe('fires', () => {
  it('on a thread that writes to a frozen file system, with file, mount and what to do', () => {
    const finding = firingOn(cause, 'io-stall/journal_writer');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toBe('Stuck in an uninterruptible wait on a frozen file system for `/srv/spool`');
    expect(finding.summary).toMatch(
      /\(`journal`\).*state D in 100 %.*in `write` on `\/srv\/spool\/journal`.*`percpu_rwsem_wait`/,
    );
    expect(quoted(finding)).toMatch(/states D \d+[\s\S]*mount: "\/srv\/spool"/);
    expect(finding.fixes[0]?.code).toBe('fsfreeze -u /srv/spool');
  });

  it('though the file that it wants to make is not known', () => {
    const finding = firingOn(cause, 'io-stall/archive');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.summary).toContain('in `openat`');
  });

  it('on a server that does not answer, and names others that wait', () => {
    const nfs = changedLook(
      changedLook(loadLook('io-stall/journal_writer'), 'sample', (text) =>
        text.replaceAll('percpu_rwsem_wait', 'rpc_wait_bit_killable'),
      ),
      'mounts',
      (text) =>
        text
          .replace(
            /^mount: "\/srv\/spool".*$/m,
            'mount: "/srv/spool" nfs4 on 0:52 from "files:/x", no answer in 1.0 s, writes 1 files, reads 0 files, cwd no, options rw;rw,hard',
          )
          .replace(/^end$/m, 'waiting: 77 "cp" in rpc_wait_bit_killable, command cp a b\nend'),
    );
    const finding = firstFinding(verdictOn(cause, nfs, probes));
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.summary).toMatch(/does not answer to this look either.*process 77/);
    expect(finding.fixes[0]?.title).toContain('files:/x');
    expect(finding.related).toEqual([{ pid: 77, why: 'it waits in state D too' }]);
  });
});

describe('is clear', () => {
  const sampled = (change: (text: string) => string) =>
    verdictOn(cause, changedLook(loadLook('io-stall/journal_writer'), 'sample', change), probes);

  it('of a thread that lived for a few looks only', () => {
    const verdict = sampled((text) => text.replace('68 samples, states D 68', '5 samples, states D 5'));
    expect(verdict).toMatchObject({ verdict: 'clear' });
  });

  it('of a wait for the lock of its own memory map', () => {
    const verdict = sampled((text) =>
      text
        .replace(/ in write (68 times), last write(\([^)]*\)) on .*/, ' in mmap $1, last mmap$2')
        .replaceAll('percpu_rwsem_wait', 'vm_mmap_pgoff'),
    );
    expect(verdict).toMatchObject({ verdict: 'clear' });
  });
});

describe('is less sure', () => {
  it('when it woke now and then, and gives a hint when it woke often', () => {
    const woken = (times: number) =>
      firstFinding(
        verdictOn(
          cause,
          changedLook(loadLook('io-stall/journal_writer'), 'sample', (text) =>
            text.replace(/states D (\d+)(.*)switches 0 voluntary/, `states D $1$2switches ${times} voluntary`),
          ),
          probes,
        ),
      ).confidence;
    expect(woken(1)).toBeGreaterThanOrEqual(0.9);
    expect(woken(400)).toBeLessThan(0.5);
  });
});

describe('is clear', () => {
  it('of the parent of a child that has not execed', () => {
    expect(clearOn(cause, 'healthy/slow_spawn')).toContain('no thread was in an uninterruptible wait');
  });

  it.each(lookNames('healthy'))('or gives a hint at most, on %s', (name) => {
    const verdict = sayOf(cause, name);
    for (const finding of verdict.verdict === 'fires' ? verdict.findings : [])
      expect(finding.confidence).toBeLessThan(0.5);
  });
});

it('answers whatever became of the evidence', () => {
  expectNeverThrowsOn(cause, ['io-stall/journal_writer', 'io-stall/archive', 'healthy/many_commits']);
});
