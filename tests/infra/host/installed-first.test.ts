import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hostLookup, type SshHost } from '../../../infra/hosts.ts';
import { hostKit } from '../../../workers/host-kit/kit.ts';
import { type FirstSteps, FOUND_FIRST, type RemoteStep } from '../../../workers/ssh/remote-step.ts';
import { closeConnections, type HostShell, openShell } from '../../../workers/ssh/shell.ts';
import { hostileWords, sleeper } from '../../support/attacker.ts';
import {
  asAccount,
  canInstall,
  type InstalledHost,
  installedHost,
  openFolder,
  sshdFor,
  templateOf,
} from '../../support/installed-host.ts';
import { endProcesses } from '../../support/live-process.ts';
import { step } from '../../support/shells.ts';
import { endSshd, testSshd } from '../../support/sshd.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

const check = (pid: number, startTime: string): RemoteStep =>
  step(['true'], { id: 'last-check', seconds: 5, bytes: 16, target: { pid, startTime } });

describe.skipIf(!canInstall)('first requests to an installed runner', () => {
  let host: InstalledHost;
  let installed: SshHost;

  beforeAll(async () => {
    host = await installedHost();
    installed = { ...(await sshdFor(host)).host('guarded'), identityFile: host.identityFile };
  });
  afterEach(endProcesses);
  afterAll(async () => {
    await closeConnections();
    await endSshd();
  });

  const openWith = (through: SshHost, first: FirstSteps, asked: () => void = () => {}): Promise<HostShell> =>
    openShell(through, hostLookup([]), {}, async () => {
      asked();
      return first;
    });

  /** What a session says to lines before `sb_start` and after it. */
  const say = (before: string, after: string) => {
    const nonce = randomBytes(16).toString('hex');
    const input = `N=${nonce} W= B=\n${before}sb_start\n${after}`;
    const said = asAccount(host, ['sudo', '-n', `${host.prefix}/runner`], input);
    expect(existsSync(`/run/straceback/straceback.${nonce}`)).toBe(false);
    return { status: said.status, stdout: said.stdout };
  };

  it('are answered with it, for the process that it found, and nothing is left after the last words', async () => {
    const { pid, startTime } = await sleeper();
    const first = { pid, ageSeconds: 0, steps: [check(pid, FOUND_FIRST)] };
    await (await openShell(installed, hostLookup([]))).close();
    let asked = 0;
    const shell = await openWith(installed, first, () => {
      asked += 1;
    });
    expect(asked).toBe(1);
    expect(shell.installed).not.toBeNull();
    const answered = shell.run(check(pid, startTime));
    const another = shell.run(check(pid, String(BigInt(startTime) + 1n)));
    shell.leave?.();
    expect(await answered).toMatchObject({ end: 'exited', exit: 0 });
    expect(await another).toMatchObject({ end: 'target-gone' });
    await shell.close();
    expect(readdirSync('/run/straceback').filter((name) => name === `look.${pid}`)).toEqual([]);
  });

  it('run for no process that is too young or gone', async () => {
    const { pid, startTime } = await sleeper();
    for (const [of, ageSeconds] of [
      [pid, 86_400 * 300],
      [4_194_300, 0],
    ] as const) {
      const shell = await openWith(installed, { pid: of, ageSeconds, steps: [check(of, FOUND_FIRST)] });
      const own = of === pid ? startTime : '1';
      expect(await shell.run(check(of, own))).toMatchObject(of === pid ? { exit: 0 } : { end: 'target-gone' });
      await shell.close();
    }
    const { version } = await hostKit();
    const { number, seconds } = templateOf(host, 'last-check', 0);
    const young = say(
      `sb_early ${version} ${pid} 9999999999\n`,
      `run 1 ${number} ${seconds} 16 ${pid} ? 0\nsb_leave\n`,
    );
    expect(young.stdout).toMatch(/ ready 1 0 \S+ installed \S+ \S+ first gone\n/);
    expect(young.stdout).toMatch(/ step 1 exited 126 /);
    expect(young.status).toBe(0);
  });

  it('are none where they are made for another version, or are not as they must be', async () => {
    const { pid } = await sleeper();
    const { version } = await hostKit();
    const { number, seconds } = templateOf(host, 'last-check', 0);
    const run = (of: number | string) => `run 1 ${number} ${seconds} 16 ${of} ? 0\n`;
    const other = say(`sb_early ${'0'.repeat(12)} ${pid} 0\n`, run(pid));
    expect([other.status, other.stdout.endsWith(' refused version\n')]).toEqual([3, true]);
    const folder = openFolder();
    const marker = path.join(folder, 'owned');
    const hostile = [
      version,
      `${version} ${pid}`,
      `${version} ${pid} 0 0`,
      `${version} 0${pid} 0`,
      `${version} -1 0`,
      `${version} ${pid} 99999999999`,
      `${version} ${pid} -5`,
      ...hostileWords(marker).flatMap((word) => [`${version} ${word} 0`, `${version} ${pid} ${word}`]),
    ];
    for (const words of hostile) {
      const { status, stdout } = say(`sb_early ${words}\n`, run(pid));
      expect([words, status, / ready /.test(stdout)]).toEqual([words, 64, false]);
    }
    // Another process than the one that was announced, none that was, and words that only look like it.
    for (const [before, request] of [
      [`sb_early ${version} ${pid} 0\n`, run(pid + 1)],
      ['', run(pid)],
      ['', run(0)],
      [`sb_early ${version} ${pid} 0\n`, run(pid).replace(' ? ', ' ?? ')],
      [`sb_early ${version} ${pid} 0\n`, run(pid).replace(' ? ', ' 1? ')],
      [`sb_early ${version} ${pid} 0\n`, run('?')],
      [`sb_early ${version} ${pid} 0\n`, run(pid).replace(`run 1 ${number}`, 'run 1 ?')],
    ] as const) {
      const { status, stdout } = say(before, request);
      expect([request, status, stdout.includes(' step ')]).toEqual([request, 64, false]);
      expect(stdout).toMatch(/ refused bad-request\n$/);
    }
    expect(existsSync(marker)).toBe(false);
  });

  it('find out when another runner is there than a moment ago, in both directions, and run nothing of the other’s words', async () => {
    const folder = openFolder();
    const file = path.join(folder, 'switch');
    const use = (runner: string) => writeFileSync(file, runner);
    const sent = 'eval "$SSH_ORIGINAL_COMMAND"';
    const own = `exec ${host.prefix}/runner`;
    const sshd = await testSshd({ forceCommand: `. ${file}` });
    const changing = sshd.host('changing');
    const { pid, startTime } = await sleeper();
    const marker = path.join(folder, 'owned');
    const first: FirstSteps = {
      pid,
      ageSeconds: 0,
      steps: [
        check(pid, FOUND_FIRST),
        // What an installed runner reads as a text, a shell would run.
        step(['sh', '{script:end.sh}', String(pid), `$(touch ${marker})`], {
          id: 'end-of',
          seconds: 18,
          bytes: 500_000,
        }),
      ],
    };
    for (const [before, after, there] of [
      [own, sent, null],
      [sent, own, (await hostKit()).version],
    ] as const) {
      use(before);
      await (await openShell(changing, hostLookup([]))).close();
      use(after);
      let asked = 0;
      const shell = await openWith(
        changing,
        before === own ? first : { ...first, steps: first.steps.slice(0, 1) },
        () => {
          asked += 1;
        },
      );
      expect(asked).toBe(1);
      expect(shell.installed?.version ?? null).toBe(there);
      expect(await shell.run(check(pid, startTime))).toMatchObject({ end: 'exited', exit: 0 });
      const release = await shell.run(step(['cat', '/etc/os-release'], { bytes: 8_192, seconds: 5 }));
      expect(text(release.stdout)).not.toBe('');
      await shell.close();
    }
    expect(existsSync(marker)).toBe(false);
  });
});
