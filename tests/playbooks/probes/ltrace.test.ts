import { afterEach, describe, expect, it } from 'vitest';
import type { Parsed } from '../../../playbooks/model/index.ts';
import { LtraceData, ltrace } from '../../../playbooks/probes/ltrace.ts';
import { refusal } from '../../../workers/stages/plan.ts';
import { fixtureNames, loadFixture, parseFixture } from '../../support/fixture.ts';
import { canRun } from '../../support/incident.ts';
import { endProcesses, startPython } from '../../support/live-process.ts';
import { expectNeverThrows } from '../../support/parser-safety.ts';
import { knownHere, runProbe, stepFor } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';

afterEach(endProcesses);

const dataOf = (parsed: Parsed<LtraceData>): LtraceData => {
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${parsed.why}`);
  return LtraceData.parse(parsed.data);
};

/** Answers each line, so that it can be seen to live on. */
const ANSWERS = `
import sys, threading, time
if sys.argv[1] == 'threads':
    threading.Thread(target=threading.Event().wait, daemon=True).start()
if sys.argv[1] == 'busy':
    print('ready', flush=True)
    while True: str(time.time()).encode()
print('ready', flush=True)
for line in sys.stdin:
    print('answer', line.strip(), flush=True)
`;

describe('ltrace', () => {
  it('is refused without the permission to risk a death', () => {
    const step = { probe: ltrace, options: {}, always: true };
    const known = knownHere(process.pid, { tools: { ltrace: '/usr/bin/ltrace' } });
    const now = { allow: ['none', 'slows', 'stops'] as const, known, startedBefore: new Set<string>() };
    expect(refusal(step, now)).toMatchObject({ seen: false, reason: 'not-allowed' });
    expect(refusal(step, { ...now, allow: ['slows', 'risks-death'] })).toBeNull();
  });

  it('never stays for longer than three seconds', () => {
    const { argv } = ltrace.command(stepFor(ltrace, { pid: 7, startTime: '9', windowSeconds: 60 }));
    expect(argv).toEqual(['sh', '{script:ltrace.sh}', '7', '30', '{script:ptrace-guard.sh}']);
  });

  it.runIf(canRun('/usr/bin/ltrace'))('refuses a process with threads, which lives on unhurt', async () => {
    const live = await startPython(ANSWERS, ['threads']);
    const before = await processState(live.pid);
    const { parsed, evidence } = await runProbe(ltrace, { pid: live.pid });
    expect(parsed).toMatchObject({ ok: false, reason: 'not-applicable' });
    expect(parsed.ok ? '' : parsed.why).toContain('2 threads');
    expect(Buffer.from(evidence.stdout).toString()).not.toContain('ltrace exit');
    await expectUnhurt(live.pid, before);
    live.say('still there');
    expect(await live.line(/^answer/)).toBe('answer still there');
  });

  it.runIf(canRun('/usr/bin/ltrace'))('counts the calls of a process with one thread, which survives', async () => {
    const live = await startPython(ANSWERS, ['busy']);
    const before = await processState(live.pid);
    const data = dataOf((await runProbe(ltrace, { pid: live.pid })).parsed);
    expect(data.calls.length).toBeGreaterThan(0);
    expect(data.calls.every((row) => row.calls > 0)).toBe(true);
    expect(data.endedEarly).toBe(false);
    await expectUnhurt(live.pid, before);
  });

  it.runIf(canRun('/usr/bin/ltrace'))('lets go when it is broken off', async () => {
    const live = await startPython(ANSWERS, ['idle']);
    const before = await processState(live.pid);
    const traced = async (): Promise<void> => {
      while (![...(await processState(live.pid)).threads.values()].some((thread) => thread.tracer !== 0)) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    let ended: Promise<void> = Promise.resolve();
    await runProbe(ltrace, {
      pid: live.pid,
      windowSeconds: 3,
      onStart: (child) => {
        ended = traced().then(() => {
          process.kill(-(child.pid ?? 0), 'SIGTERM');
        });
      },
    });
    await ended;
    await expectUnhurt(live.pid, before);
    live.say('again');
    expect(await live.line(/^answer/)).toBe('answer again');
  });

  it('says why there is nothing', () => {
    expect(parseFixture(ltrace, 'refused-threads')).toMatchObject({ ok: false, reason: 'not-applicable' });
    expect(parseFixture(ltrace, 'no-ltrace')).toMatchObject({ ok: false, reason: 'missing-tool' });
    expect(parseFixture(ltrace, 'gone')).toMatchObject({ ok: false, reason: 'target-gone' });
  });

  it('reads the table', () => {
    const data = dataOf(parseFixture(ltrace, '0.7.3-counted'));
    expect(data.calls[0]).toMatchObject({ function: 'clock_nanosleep', calls: 788, seconds: 0.884342 });
    expect(data.calls).toHaveLength(9);
  });

  it('never throws', () => {
    expectNeverThrows(
      ltrace,
      fixtureNames('ltrace').map((name) => Buffer.from(loadFixture('ltrace', name).evidence.stdout)),
    );
  });
});
