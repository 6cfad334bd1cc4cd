/** What a fault run does and when, made from its seed alone: the same seed plans the same run. Pure. */

/** Everything that is made to go wrong. */
export const FAULT_KINDS = [
  'worker killed',
  'bot killed',
  'clock moved',
  'connection cut',
  'sshd restarted',
  'Redis killed',
  'PostgreSQL restarted',
  'Slack 429',
  'Slack 500',
  'Slack 500 after the work',
  'Slack slow',
  'Slack cut after the work',
  'socket dropped',
  'event repeated',
  'acknowledgement lost',
  'host memory disk full',
  'keep folder full',
  'data folder full',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** One fault, made just before the request with the number `at` is asked. */
export interface PlannedFault {
  readonly kind: FaultKind;
  readonly at: number;
  /** Which of several (worker, bot, host), to be taken modulo their number. */
  readonly which: number;
  /** For clocks: seconds ahead (or behind). For Slack: how many requests it strikes. For disks: for how many requests they stay full. */
  readonly amount: number;
}

export type Way = 'command' | 'follow-up' | 'alert';

/** One request that somebody makes. */
export interface PlannedLook {
  readonly way: Way;
  /** Which host and which of its programs, each to be taken modulo their number. */
  readonly host: number;
  readonly target: number;
  readonly user: 'alice' | 'bob';
  /** What is typed after host and pid, or said in the thread. */
  readonly words: string;
  /** An alert: delivered this often; to each bot in turn. */
  readonly deliveries: number;
}

export interface Plan {
  readonly seed: number;
  readonly looks: readonly PlannedLook[];
  readonly faults: readonly PlannedFault[];
}

/** Numbers from 0 up to 1 that look random and follow from the seed (Tommy Ettinger's mulberry32). */
export const numbersFrom = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
};

/** Looks that are made: mostly short ones, some that slow or stop the process, a few that write to the host's disk. */
const COMMANDS = [
  'glance 0.5',
  'glance 1',
  'glance 0.5',
  'sockets',
  'stacks',
  'locks',
  'fds',
  'strace 1',
  'py-bt',
  'triage 1',
  'gcore',
] as const;
const FOLLOW_UPS = ['sockets', 'strace 1', 'lsof', 'stacks'] as const;

/** Requests between two faults on average. */
const PACE = 4;

const amountOf = (kind: FaultKind, random: () => number): number => {
  if (kind === 'clock moved') return Math.round((random() - 0.5) * 240);
  return 1 + Math.floor(random() * 3);
};

/**
 * Plans so many requests and the faults among them. Each kind of fault is made once in the first two thirds, if there are at least
 * as many requests as kinds, so that a short run has all of them.
 */
export const planRun = (seed: number, count: number): Plan => {
  const random = numbersFrom(seed);
  const pick = <Value>(values: readonly [Value, ...Value[]]): Value =>
    values[Math.floor(random() * values.length)] ?? values[0];
  const looks = Array.from({ length: count }, (_, index): PlannedLook => {
    const share = random();
    const way = index < 3 || share < 0.6 ? 'command' : share < 0.85 ? 'follow-up' : 'alert';
    return {
      way,
      host: Math.floor(random() * 1_000),
      target: Math.floor(random() * 1_000),
      user: pick(['alice', 'bob']),
      words: way === 'command' ? pick(COMMANDS) : way === 'follow-up' ? pick(FOLLOW_UPS) : 'glance',
      deliveries: way === 'alert' ? 1 + Math.floor(random() * 3) : 1,
    };
  });
  const fault = (kind: FaultKind, at: number): PlannedFault => ({
    kind,
    at,
    which: Math.floor(random() * 1_000),
    amount: amountOf(kind, random),
  });
  const early = FAULT_KINDS.map((kind, index) => {
    const step = (count * 2) / 3 / FAULT_KINDS.length;
    return fault(kind, Math.min(count - 1, Math.floor((index + random()) * step)));
  });
  const later = Array.from({ length: Math.max(0, Math.floor(count / PACE) - FAULT_KINDS.length) }, () =>
    fault(pick(FAULT_KINDS), Math.floor(random() * count)),
  );
  return { seed, looks, faults: [...early, ...later].sort((a, b) => a.at - b.at) };
};
