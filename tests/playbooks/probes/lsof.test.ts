import { mkdtempSync, readdirSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { lsof, type OpenFile } from '../../../playbooks/probes/lsof.ts';
import { fixtureStep, loadFixture, parseFixture } from '../../support/fixture.ts';
import { endProcesses, startPython } from '../../support/live-process.ts';
import { expectSoundOnDamaged } from '../../support/parser-safety.ts';
import { evidenceFrom, runProbe, stepFor } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';
import { canHideTools, withoutTools } from '../../support/without-tools.ts';

const filesOf = (name: string): readonly OpenFile[] => {
  const parsed = parseFixture(lsof, name);
  if (!parsed.ok) throw new Error(`${name}: ${parsed.why}`);
  expect(parsed.partly).toEqual([]);
  return parsed.data.files;
};

describe('command', () => {
  it('hands the pattern on as one word', () => {
    const step = stepFor(lsof, { pid: 9, options: { pattern: "a b'; rm -rf $(x)" } });
    expect(lsof.command(step)).toEqual({
      argv: ['sh', '{script:lsof.sh}', '9', "a b'; rm -rf $(x)"],
      scripts: ['lsof.sh'],
    });
    expect(lsof.command(stepFor(lsof, { pid: 9 })).argv).toEqual(['sh', '{script:lsof.sh}', '9']);
  });
});

describe('recorded and written runs', () => {
  it('reads names whatever is in them, sizes and inodes', () => {
    const files = filesOf('4.95-mixed');
    const byFd = (fd: string) => files.find((file) => file.fd === fd);
    expect(byFd('cwd')).toMatchObject({ type: 'DIR', name: '/srv/files', inode: '1516199', size: 4096 });
    expect(byFd('5w')?.name).toBe('/srv/files/line\\nbreak\\t^G\\xc3\\xa9');
    expect(byFd('7wW')).toMatchObject({ name: '/srv/files/locked', deleted: false, at: 22 });
    expect(byFd('8u')).toMatchObject({ name: 'TCP 127.0.0.1:39517 (LISTEN)', inode: '172633', size: null });
    expect(byFd('15u')).toMatchObject({ type: 'a_inode', name: '[eventpoll]' });
    expect(files).toHaveLength(29);
  });

  it('tells deleted files from names that say so', () => {
    const deleted = filesOf('4.95-mixed').filter((file) => file.deleted);
    expect(deleted.map((file) => [file.fd, file.name])).toEqual([
      ['DEL', '/srv/files/mapped'],
      ['4u', '/srv/files/gone'],
      ['9u', '/srv/files/mapped'],
      ['14u', '/memfd:me mo'],
    ]);
    expect(filesOf('4.95-mixed').find((file) => file.fd === '3w')?.name).toBe('/srv/files/with  spaces (deleted)');
  });

  it('reads a selection', () => {
    expect(filesOf('4.95-pattern').map((file) => file.name)).toEqual(['/srv/files/gone']);
  });

  it.each([
    ['4.95-no-permission', 'no-permission', /root and by its own user/],
    ['4.95-gone', 'target-gone', /had ended/],
    ['no-lsof', 'missing-tool', /not installed/],
  ])('%s is no observation', (name, reason, why) => {
    expect(parseFixture(lsof, name)).toEqual({ ok: false, reason, why: expect.stringMatching(why) });
  });

  it('says what is missing', () => {
    const { evidence, capture } = loadFixture('lsof', '4.95-mixed');
    const whole = Buffer.from(evidence.stdout).toString();
    const partly = (text: string) => {
      const parsed = lsof.parse(evidenceFrom('lsof', text), fixtureStep(capture));
      return parsed.ok ? parsed.partly : parsed.reason;
    };
    expect(partly(whole.slice(0, 700))).toEqual([expect.stringMatching(/did not finish/)]);
    expect(partly(whole.replace('lsof exit 0', 'lsof exit 124'))).toEqual([expect.stringMatching(/did not finish/)]);
    expect(partly(whole.replace('shown: 29', 'shown: 20'))).toEqual(['20 of 29 open files are shown']);
    expect(partly('garbage')).toBe('not-parsable');
  });

  it('never throws, and never answers with data that its own schema refuses', () => expectSoundOnDamaged(lsof));
});

describe('real processes', () => {
  const folders: string[] = [];
  afterEach(async () => {
    await endProcesses();
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  const start = async () => {
    const folder = mkdtempSync(join(tmpdir(), 'straceback-lsof-'));
    folders.push(folder);
    const live = await startPython(
      `
import os, sys
os.chdir(sys.argv[1])
keep = [open("forged\\n3u    REG 0 1 1 etc-shadow", "w"), open("a b (deleted)", "w"), open("gone", "w"), open(b"\\xff", "w")]
os.unlink("gone")
print("ready", flush=True)
input()
`,
      [folder],
    );
    return { pid: live.pid, folder };
  };

  it('lists the same descriptors as /proc, with their inodes', async () => {
    const { pid, folder } = await start();
    const before = await processState(pid);
    const { parsed } = await runProbe(lsof, { pid });
    await expectUnhurt(pid, before);
    if (!parsed.ok) throw new Error(parsed.why);
    const numbered = parsed.data.files.filter((file) => /^\d/.test(file.fd));
    const listed = numbered.map((file) => Number.parseInt(file.fd, 10)).sort((a, b) => a - b);
    const real = readdirSync(`/proc/${pid}/fd`)
      .map(Number)
      .sort((a, b) => a - b);
    expect(listed).toEqual(real);
    for (const file of numbered.filter((entry) => entry.type === 'REG')) {
      expect(file.inode).toBe(String(statSync(`/proc/${pid}/fd/${Number.parseInt(file.fd, 10)}`).ino));
    }
    const gone = parsed.data.files.filter((file) => file.deleted);
    expect(gone.map((file) => file.name)).toEqual([join(folder, 'gone')]);
    expect(parsed.data.files.some((file) => file.name === 'etc-shadow')).toBe(false);
    expect(parsed.data.files.find((file) => file.fd === 'cwd')?.name).toBe(readlinkSync(`/proc/${pid}/cwd`));
  });

  it('takes a pattern literally', async () => {
    const { pid, folder } = await start();
    const names = async (pattern: string) => {
      const { parsed } = await runProbe(lsof, { pid, options: { pattern } });
      return parsed.ok ? parsed.data.files.map((file) => file.name) : parsed.why;
    };
    expect(await names('a b (del')).toEqual([join(folder, 'a b (deleted)')]);
    expect(await names('a.b')).toEqual([]);
    expect(await names('\\nforged')).toEqual([]);
    expect(await names('forged\\n3u')).toHaveLength(1);
  });

  it.runIf(process.getuid?.() === 0)('says that it was not permitted', async () => {
    const { pid } = await start();
    expect((await runProbe(lsof, { pid, uid: 65_534 })).parsed).toMatchObject({ ok: false, reason: 'no-permission' });
  });

  it.runIf(canHideTools())('says that lsof is missing', async () => {
    const { pid } = await start();
    const { parsed, evidence } = await runProbe(withoutTools(lsof, ['lsof']), { pid });
    expect(parsed).toMatchObject({ ok: false, reason: 'missing-tool' });
    expect(evidence.exit).toBe(127);
  });
});
