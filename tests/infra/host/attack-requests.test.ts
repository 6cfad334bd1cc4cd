import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type AskedProcess,
  type AttackerPlace,
  attackerPlace,
  hostileWords,
  sleeper,
  stepsOf,
} from '../../support/attacker.ts';
import {
  asAccount,
  ask,
  canInstall,
  type InstalledHost,
  installedHost,
  templateOf,
} from '../../support/installed-host.ts';
import { endProcesses } from '../../support/live-process.ts';
import { endSshd } from '../../support/sshd.ts';

describe.skipIf(!canInstall)('whoever sends requests of their own', () => {
  let host: InstalledHost;
  let place: AttackerPlace;

  beforeAll(async () => {
    host = await installedHost('--allow', 'none,slows,stops,writes-disk,risks-death');
    place = attackerPlace();
  });
  afterEach(endProcesses);
  afterAll(endSshd);

  it('is cut off when a request is none, and nothing is left of it', async () => {
    const { pid, startTime } = await sleeper();
    const lsof = templateOf(host, 'lsof', 0).number;
    const whole = `run 1 ${lsof} 5 4096 ${pid} ${startTime} 0`;
    const bad = [
      ...hostileWords(place.marker),
      `sb_put a/b 'x'`,
      `sb_run 1 5 TERM 10 10 0 0 0 touch ${place.marker}`,
      `sb_end 1; touch ${place.marker}`,
      'sb_end 99999',
      'run',
      'run 1 2 3',
      `${whole} 1`,
      whole.replace('run 1', 'run 2'),
      whole.replace('run 1', 'run 01'),
      whole.replace(' 5 ', ' 0 '),
      whole.replace(' 5 ', ' 99999999999999999999 '),
      whole.replace(' 4096 ', ' 9999999999 '),
      whole.replace(` ${pid} `, ' -1 '),
      whole.replace(` ${pid} `, ` ${pid}/../1 `),
      whole.replace(` ${pid} `, ` 0${pid} `),
      whole.replace(startTime, `${startTime}x`),
      whole.replace(startTime, '9'.repeat(21)),
      whole.replace(/0$/, '41'),
      whole.replace(/0$/, '1\nno equals sign'),
      whole.replace(/0$/, `1\n=${'x'.repeat(5_001)}`),
      whole.replace(/^run/, `run ${'0'.repeat(200)}`),
    ];
    for (const request of bad) {
      const nonce = randomBytes(16).toString('hex');
      const { status, stdout } = await ask(host, `${request}\n`, { nonce });
      expect([request.slice(0, 60), status]).toEqual([request.slice(0, 60), 64]);
      expect(stdout).toMatch(/ refused bad-request\n$/);
      expect(existsSync(`/run/straceback/straceback.${nonce}`)).toBe(false);
    }
    for (const nonce of [
      '',
      'x'.repeat(32),
      `$(touch ${place.marker})`,
      '../'.repeat(11).slice(0, 32),
      'a'.repeat(33),
    ]) {
      expect(await ask(host, '', { nonce })).toMatchObject({ status: 64, stdout: '' });
    }
    place.untouched();
  });

  it('gets no further by binary, endless or very many requests', async () => {
    const target = await sleeper();
    for (const bytes of [
      randomBytes(100_000),
      Buffer.alloc(200_000),
      Buffer.alloc(300_000, 'a'),
      Buffer.from('run 1 \xff\xfe\0 1\n', 'latin1'),
    ]) {
      expect([0, 64]).toContain((await ask(host, bytes)).status);
    }
    // Without a line's end, more than a session may send at all.
    expect([0, 64]).toContain(
      asAccount(host, ['sudo', '-n', `${host.prefix}/runner`], Buffer.alloc(3_000_000, 'a')).status,
    );
    const many = await ask(host, stepsOf(host, 'last-check', target, Array(3_000).fill([]), { bytes: 16 }));
    expect(many.status).toBe(64);
    expect(many.stdout.match(/ step \d+ exited (?:0|126) /g)?.length).toBeLessThanOrEqual(400);
    expect(many.stdout).toMatch(/ refused bad-request\n/);
    place.untouched();
  });

  it('runs no command by a text, whatever it says', async () => {
    const target = await sleeper();
    const words = hostileWords(place.marker);
    const asked: readonly (readonly [string, AskedProcess, readonly (readonly string[])[]])[] = [
      ['lsof', target, words.map((word) => [word])],
      ['log-lines', target, words.map((word) => [word])],
      ['py-locals', target, words.map((word) => [word])],
      ['source-lines', target, words.map((word) => ['1', word])],
      ['end-of', { pid: target.pid, startTime: '0' }, words.map((word) => [word])],
      ['list', { pid: 0, startTime: '0' }, words.slice(0, 3).map((word) => [word.slice(0, 40)])],
    ];
    for (const [name, process, texts] of asked) {
      const { status, stdout } = await ask(host, stepsOf(host, name, process, texts), { answers: texts.length });
      expect([name, status]).toEqual([name, 0]);
      // They ran, and what they were told is not refused.
      expect(stdout).not.toMatch(/ step \d+ exited (?:126|143) /);
      expect(stdout).not.toMatch(/root:[$*!]/);
    }
    const control = await ask(host, stepsOf(host, 'lsof', target, [['a\tb'], ['\x1b[2J'], ['\x7f']]), { answers: 3 });
    expect(control.stdout.match(/ step \d+ exited 126 /g)).toHaveLength(3);
    place.untouched();
  });
});
