import { describe, expect, it } from 'vitest';
import { diskFull } from '../../../playbooks/causes/disk-full.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, sayOf, untoldOn } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, lookNames, verdictOn } from '../../support/record-look.ts';

const cause = diskFull;
const probes = await loadProbes();

describe('fires', () => {
  it('surely when writes are refused in the trace', () => {
    const finding = firingOn(cause, 'disk-full/event_log');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toBe('Cannot write: no space is left on `/srv/spool`');
    expect(finding.summary).toMatch(/`write` failed with ENOSPC on `\/srv\/spool\/events\.log`.*`tmpfs`/);
    expect(quoted(finding)).toMatch(/ENOSPC[\s\S]*mount: "\/srv\/spool"/);
    expect(finding.fixes.at(-1)?.code).toBe('df -h /srv/spool; df -i /srv/spool');
  });

  it('on inodes that are used up', () => {
    const finding = firingOn(cause, 'disk-full/session_files');
    expect(finding.title).toBe('Cannot write: no inode is left on `/srv/spool`');
    expect(finding.fixes[0]?.code).toBe('du --inodes -x /srv/spool | sort -n | tail');
  });

  it('on a quota, whatever room there is', () => {
    const quota = changedLook(loadLook('disk-full/event_log'), 'strace', (text) => text.replaceAll('ENOSPC', 'EDQUOT'));
    const finding = firstFinding(verdictOn(cause, quota, probes));
    expect(finding.title).toMatch(/^Cannot write: the quota is used up/);
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
  });

  it('on a device that refuses every write, and does not blame the file system that the device lies on', () => {
    const device = changedLook(loadLook('disk-full/event_log'), 'strace', (text) =>
      text.replaceAll('/srv/spool/events.log', '/dev/full'),
    );
    const finding = firstFinding(verdictOn(cause, device, probes));
    expect(finding.title).toBe('Cannot write: no space is left on `/dev/full`');
    expect(finding.summary).toContain('no file system is full');
    expect(finding.fixes.map((fix) => fix.code).join()).toContain('/fd | grep -F /dev/full');
  });

  it('on a file system that has room again', () => {
    const roomy = changedLook(loadLook('disk-full/event_log'), 'mounts', (text) =>
      text.replace(
        /free 0 of \d+ bytes, available 0 bytes/,
        'free 800000000 of 900000000 bytes, available 800000000 bytes',
      ),
    );
    const finding = firstFinding(verdictOn(cause, roomy, probes));
    expect(finding.confidence).toBe(0.93);
    expect(finding.summary).toContain('There is room now');
    expect(firingOn(cause, 'disk-full/event_log').summary).not.toContain('There is room now');
  });

  it('less surely without a trace, and wants one', () => {
    const verdict = sayOf(cause, 'disk-full/event_log', ['strace']);
    expect(verdict).toMatchObject({ verdict: 'fires', wants: ['strace'] });
    const finding = firstFinding(verdict);
    expect(finding.confidence).toBeGreaterThanOrEqual(0.6);
    expect(finding.confidence).toBeLessThanOrEqual(0.8);
    expect(finding.summary).toContain('Not seen directly');
  });
});

it('wants a trace when a file system is full on which it has nothing open', () => {
  expect(untoldOn(cause, 'disk-full/session_files', ['strace']).wants).toEqual(['strace']);
});

it('is less sure when it wrote nothing in the trace', () => {
  const silent = changedLook(loadLook('disk-full/event_log'), 'strace', (text) =>
    text.replaceAll(/^.*ENOSPC.*\n/gm, ''),
  );
  const finding = firstFinding(verdictOn(cause, silent, probes));
  expect(finding.confidence).toBe(0.65);
  expect(finding.summary).toContain('it wrote nothing there in the trace');
});

it('wants a trace when hardly anything is left', () => {
  const tight = changedLook(loadLook('disk-full/event_log'), 'mounts', (text) =>
    text.replace(/free 0 of (\d+) bytes, available 0 bytes/, 'free 300000 of $1 bytes, available 300000 bytes'),
  );
  expect(verdictOn(cause, tight, probes, ['strace'])).toMatchObject({
    verdict: 'cannot-tell',
    why: expect.stringContaining('hardly any room left'),
    wants: ['strace'],
  });
});

it('gives no more than a hint when the file system is full and nothing was refused', () => {
  const quiet = changedLook(loadLook('disk-full/event_log'), 'strace', (text) =>
    text.replaceAll(/= -1 ENOSPC \([^)]*\)/g, '= 2900'),
  );
  expect(firstFinding(verdictOn(cause, quiet, probes)).confidence).toBeLessThan(0.5);
});

it('knows that the same error means other things in other calls', () => {
  const watches = changedLook(loadLook('disk-full/session_files'), 'strace', (text) =>
    text.replaceAll('openat(', 'inotify_add_watch('),
  );
  expect(verdictOn(cause, watches, probes)).toMatchObject({ verdict: 'clear' });
});

describe('is clear', () => {
  it('of a spool that makes room in time', () => {
    expect(clearOn(cause, 'healthy/tight_spool')).toContain('there is room on');
  });

  it.each(lookNames('healthy'))('or has not looked, on %s', (name) => {
    expect(sayOf(cause, name).verdict).not.toBe('fires');
  });
});

it('answers whatever became of the evidence', () => {
  expectNeverThrowsOn(cause, ['disk-full/event_log', 'disk-full/session_files', 'healthy/tight_spool']);
});
