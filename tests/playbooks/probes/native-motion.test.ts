import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type NativeMotionData, nativeMotion } from '../../../playbooks/probes/native-motion.ts';
import { fixtureStep, loadFixture, parseFixture } from '../../support/fixture.ts';
import { canRun } from '../../support/incident.ts';
import { endProcesses, startProcess, startPython, untilState } from '../../support/live-process.ts';
import { expectSoundOnDamaged } from '../../support/parser-safety.ts';
import { evidenceFrom, runProbe, stepFor } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';
import { until } from '../../support/until.ts';

afterEach(endProcesses);

const seen = (name: string): NativeMotionData => {
  const parsed = parseFixture(nativeMotion, name);
  if (!parsed.ok) throw new Error(`${name}: ${parsed.why}`);
  expect(parsed.partly).toEqual([]);
  return parsed.data;
};

describe('recorded runs', () => {
  it('reads a thread that comes back to its states', () => {
    const data = seen('perl-round');
    expect(data).toMatchObject({ name: 'perl', inSystemCalls: 0, signals: 0, shared: [] });
    expect(data.memory).toMatchObject({ pagesMoving: 6, pagesElsewhere: 0, notWatchedKib: 0 });
    expect(data.states.returns).toBeGreaterThan(100);
    expect(data.states.acrossWindow).toBe(25);
    expect(data.places[0]).toMatchObject({ module: '/usr/bin/perl', looks: 536, addresses: 196 });
  });

  it('reads a thread that never does', () => {
    expect(seen('matrix').states).toMatchObject({ returns: 0, acrossWindow: 0 });
  });

  it.each([
    ['idle', 'failed', /busiest thread used 0 %/],
    ['gone', 'target-gone', /no process/],
    ['traced', 'failed', /already traced by process 77/],
    ['denied', 'no-permission', /Operation not permitted/],
  ])('%s is no observation', (name, reason, why) => {
    expect(parseFixture(nativeMotion, name)).toEqual({ ok: false, reason, why: expect.stringMatching(why) });
  });

  it('is partly seen when the output breaks off', () => {
    const { capture, evidence } = loadFixture('native-motion', 'matrix');
    const half = Buffer.from(evidence.stdout).toString().replace(/^end$/m, '');
    expect(nativeMotion.parse(evidenceFrom('native-motion', half), fixtureStep(capture))).toMatchObject({
      ok: true,
      partly: ['the list of states breaks off'],
    });
  });

  it('never throws, and never answers with data that its own schema refuses', () => expectSoundOnDamaged(nativeMotion));
});

const look = async (pid: number): Promise<NativeMotionData> => {
  const before = await processState(pid);
  const { parsed, evidence } = await runProbe(nativeMotion, { pid, windowSeconds: 1.6 });
  await expectUnhurt(pid, before);
  if (!parsed.ok) throw new Error(`${parsed.why}\n${Buffer.from(evidence.stderr)}`);
  return nativeMotion.data.parse(parsed.data);
};

describe('on a live process', () => {
  it('hands pid, start time and the window on', () => {
    const { argv } = nativeMotion.command(stepFor(nativeMotion, { pid: 5, startTime: '9', windowSeconds: 3 }));
    expect(argv.slice(1)).toEqual(['-I', '-S', '-B', '{script:native-motion.py}', '5', '9', '3']);
  });

  it('holds no thread of one that sleeps, and leaves it as it is', async () => {
    const { pid } = await startPython("import time\nprint('ready')\ntime.sleep(600)");
    await untilState(pid, 'S');
    const before = await processState(pid);
    const { parsed } = await runProbe(nativeMotion, { pid });
    expect(parsed).toMatchObject({ ok: false, why: expect.stringContaining('its busiest thread') });
    await expectUnhurt(pid, before);
  });

  it('leaves it running and untraced when it is killed in the middle', async () => {
    const { pid } = await startPython("print('ready')\nwhile True: pass");
    const before = await processState(pid);
    const traced = () =>
      until('it is watched', () => /^TracerPid:\t[1-9]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')));
    let killed = false;
    await runProbe(nativeMotion, {
      pid,
      windowSeconds: 30,
      onStart: (child) =>
        void traced().then(() => {
          killed = process.kill(-(child.pid ?? 0), 'SIGKILL');
        }),
    });
    expect(killed).toBe(true);
    await expectUnhurt(pid, before);
  });

  it.skipIf(process.getuid?.() !== 0)('says that it may not, to another user', async () => {
    const { pid } = await startPython("print('ready')\nwhile True: pass");
    const { parsed } = await runProbe(nativeMotion, { pid, uid: 65_534 });
    expect(parsed).toMatchObject({ ok: false, reason: 'no-permission' });
  });

  it.skipIf(!canRun('/usr/bin/gcc'))(
    'tells a loop in registers that goes on from one that does not, and hands signals on',
    async () => {
      const folder = mkdtempSync(path.join(tmpdir(), 'straceback-motion-'));
      try {
        writeFileSync(
          path.join(folder, 'spin.c'),
          `#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
static volatile unsigned long told;
static volatile int places[7] = {1, 2, 3, 4, 5, 6, 0};
static void on_alarm(int signal) { told++; }
int main(int count, char **words) {
  puts("ready");
  fflush(stdout);
  if (count > 2) {
    struct itimerval often = {{0, 5000}, {0, 5000}};
    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &often, NULL);
  }
  if (words[1][0] == 'r') for (int at = 0;;) at = places[at];
  for (unsigned long each = 1;; each = each * 6364136223846793005UL + 1) if (each == 0) return 1;
}
`,
        );
        const file = path.join(folder, 'spin');
        expect(spawnSync('/usr/bin/gcc', ['-O1', '-o', file, path.join(folder, 'spin.c')]).status).toBe(0);
        const start = async (...words: string[]) => {
          const live = await startProcess(file, words);
          await live.line(/^ready/);
          return live.pid;
        };
        const round = await look(await start('round'));
        expect(round.states.returns).toBeGreaterThan(10);
        expect(round.states.acrossWindow).toBeGreaterThan(0);
        expect(round.memory).toMatchObject({ pagesElsewhere: 0, notWatchedKib: 0 });
        expect((await look(await start('on'))).states).toMatchObject({ returns: 0, acrossWindow: 0 });
        // What a handler counts is progress, and none of the signals is lost on the way.
        const told = await look(await start('round', 'told'));
        expect(told.signals).toBeGreaterThan(10);
        expect(told.memory.pagesMoving).toBeGreaterThan(0);
        expect(told.states.acrossWindow).toBe(0);
      } finally {
        await endProcesses();
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
});
