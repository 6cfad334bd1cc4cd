import { describe, expect, it } from 'vitest';
import type { PythonFrame } from '../../../playbooks/model/index.ts';
import { strace } from '../../../playbooks/probes/strace.ts';
import {
  asksToEnd,
  beat,
  childEnds,
  handlerRuns,
  inMask,
  receivedSignals,
  sentSignals,
  signalName,
} from '../../../playbooks/reading/signals.ts';
import { evidenceFrom, stepFor } from '../../support/run-probe.ts';

const trace = (...lines: string[]) => {
  const parsed = strace.parse(
    evidenceFrom('strace', `${lines.join('\n')}\n`),
    stepFor(strace, { pid: 70, startTime: '1' }),
  );
  if (!parsed.ok) throw new Error(parsed.why);
  return parsed.data;
};

const frame = (name: string, signal: number | null = null): PythonFrame => ({
  function: name,
  file: '/srv/app.py',
  line: 1,
  firstLine: 1,
  signal,
  holds: [],
  at: 1,
});

describe('signals', () => {
  it('have names', () => {
    expect([1, 2, 9, 10, 15, 31].map(signalName)).toEqual([
      'SIGHUP',
      'SIGINT',
      'SIGKILL',
      'SIGUSR1',
      'SIGTERM',
      'SIGSYS',
    ]);
    expect([0, -1, 40].map(signalName)).toEqual(['signal 0', 'signal -1', 'signal 40']);
  });

  it('ask to end or do not', () => {
    expect(['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGKILL', 'SIGHUP'].every(asksToEnd)).toBe(true);
    expect(['SIGCHLD', 'SIGWINCH', 'SIGALRM', 'SIGPROF', 'SIGUSR1', 'SIGCONT'].some(asksToEnd)).toBe(false);
  });

  it('stand in masks', () => {
    expect(inMask('0000000000004000', 'SIGTERM')).toBe(true);
    expect(inMask('0000000000004000', 'SIGINT')).toBe(false);
    expect(inMask('0000000180014003', 'SIGHUP')).toBe(true);
    expect(inMask('zz', 'SIGHUP')).toBe(false);
    expect(inMask(null, 'SIGHUP')).toBe(false);
    expect(inMask('ff', 'SIGNONE')).toBe(false);
  });
});

describe('handler runs', () => {
  it('split a stack where handlers interrupted it, innermost first', () => {
    const stack = {
      count: 1,
      frames: [frame('wait'), frame('two', 15), frame('log'), frame('one', 10), frame('main')],
    };
    const runs = handlerRuns(stack);
    expect(runs.map((run) => [run.signal, run.handler.function])).toEqual([
      [15, 'two'],
      [10, 'one'],
    ]);
    expect(runs[0]?.inside.map((each) => each.function)).toEqual(['wait', 'two']);
    expect(runs[0]?.interrupted.map((each) => each.function)).toEqual(['log', 'one', 'main']);
    expect(runs[1]?.interrupted.map((each) => each.function)).toEqual(['main']);
  });

  it('are none on a stack without handlers', () => {
    expect(handlerRuns({ count: 1, frames: [frame('main')] })).toEqual([]);
  });
});

describe('traced signals', () => {
  it('are gathered by receiver and signal, without own ones, refused ones, those of children and kill(pid, 0)', () => {
    const data = trace(
      '70    100.000000 kill(81, SIGTERM) = 0 <0.000005>',
      '70    100.000100 kill(82, SIGTERM) = 0 <0.000005>',
      '70    100.000200 kill(81, 0) = 0 <0.000005>',
      '70    100.000300 kill(70, SIGTERM) = 0 <0.000005>',
      '70    100.000400 kill(0, SIGTERM) = 0 <0.000005>',
      '70    100.100000 kill(81, SIGTERM) = 0 <0.000005>',
      '70    100.100100 kill(83, SIGTERM) = -1 ESRCH (No such process) <0.000005>',
      '99    100.150000 kill(81, SIGTERM) = 0 <0.000005>',
      '71    100.200000 tgkill(84, 85, SIGUSR1) = 0 <0.000005>',
      '70    100.200100 pidfd_send_signal(5<pid:86>, SIGKILL, NULL, 0) = 0 <0.000005>',
      '70    100.200200 kill(-90, SIGINT) = 0 <0.000005>',
      '70    100.300000 kill(81, SIGTERM) = 0 <0.000005>',
    );
    const sent = sentSignals(data, new Set([70, 71])).map(({ peer, signal, times }) => [peer, signal, times.length]);
    expect(sent).toEqual([
      [81, 'SIGTERM', 3],
      [82, 'SIGTERM', 1],
      [84, 'SIGUSR1', 1],
      [86, 'SIGKILL', 1],
      [-90, 'SIGINT', 1],
    ]);
  });

  it('are those that other processes sent, not the kernel, a timer or the process itself', () => {
    const data = trace(
      '70    1.000000 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=60, si_uid=0} ---',
      '70    1.100000 --- SIGALRM {si_signo=SIGALRM, si_code=SI_KERNEL} ---',
      '70    1.200000 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=60, si_uid=0} ---',
      '70    1.300000 --- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_TKILL, si_pid=70, si_uid=0} ---',
      '70    1.400000 --- SIGPROF {si_signo=SIGPROF, si_code=SI_TIMER, si_timerid=0, si_overrun=0, si_value={}} ---',
      '99    1.450000 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=60, si_uid=0} ---',
      '70    1.500000 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=81, si_uid=0, si_status=0} ---',
    );
    expect(receivedSignals(data, new Set([70]))).toMatchObject([
      { peer: 60, signal: 'SIGTERM', lines: [1, 3], tids: [70] },
    ]);
    expect([...childEnds(data)]).toEqual([[81, 0.5]]);
  });
});

describe('a beat', () => {
  it('is the usual pause, and steady when nearly all pauses are like it', () => {
    const steady = beat([0, 0.1, 0.2, 0.31, 0.4]);
    expect(steady?.seconds).toBeCloseTo(0.1, 2);
    expect(steady?.steady).toBe(true);
    expect(beat([0, 0.1, 2.5, 2.6, 9])?.steady).toBe(false);
    expect(beat([1])).toBeNull();
    expect(beat([])).toBeNull();
  });
});
