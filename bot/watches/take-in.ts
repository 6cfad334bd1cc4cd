import type { Answer } from '../../infra/queue/messages.ts';
import type { FailureCode, Finding, Report } from '../../playbooks/model/index.ts';
import type { Watch, WatchedCause, WatchPoint } from './state.ts';

const HEADLINE = 0.5;
/** A finding goes when this many looks in a row ruled it out: one alone may have caught a quiet moment. */
const CLEAR_LOOKS = 2;
/** What comes and goes again and again is said to do so, and then no more. */
const MOST_SAID = 6;
/** More points than this are made half as many. */
const MOST_POINTS = 480;

/** The looks cannot go on, whatever is tried again. */
const ENDS: ReadonlySet<FailureCode> = new Set([
  'no-such-process',
  'process-replaced',
  'process-ended',
  'kernel-thread',
  'no-permission',
  'not-linux',
  'unknown-host',
  'unknown-playbook',
  'bad-request',
  'host-key-unknown',
  'host-key-changed',
  'login-refused',
  'bad-key-file',
  'cancelled',
]);
const GONE: ReadonlySet<FailureCode> = new Set(['no-such-process', 'process-replaced', 'process-ended']);

/** A finding that came or went, to be said in the thread. */
export type Change =
  | { readonly kind: 'appeared'; readonly finding: Finding; readonly last: boolean }
  | {
      readonly kind: 'went';
      readonly cause: string;
      readonly title: string;
      readonly why: string;
      readonly last: boolean;
    };

/** A watch after one more look, and what is to be said of it. */
export interface TakenIn {
  readonly watch: Watch;
  readonly changes: readonly Change[];
}

/** The causes that a report found, worst first, each once. */
export const found = (report: Report): Finding[] =>
  report.findings.filter(
    ({ cause, confidence }, index) =>
      confidence >= HEADLINE &&
      cause !== 'healthy' &&
      report.findings.findIndex((other) => other.cause === cause) === index,
  );

/** What a watch compares with: the causes that are known to be there. */
export const knownCauses = (report: Report): WatchedCause[] =>
  found(report).map(({ cause, title }) => ({ cause, title, present: true, seen: false, clear: 0, said: 0 }));

const pointOf = ({ figures }: Report, at: number): WatchPoint => ({
  at,
  cpuPercent: figures?.cpuPercent ?? null,
  rssKib: figures?.rssKib ?? null,
  threads: figures?.threads ?? null,
  fds: figures?.fds ?? null,
});

const NOTHING = { cpuPercent: null, rssKib: null, threads: null, fds: null };

/** The higher of two, so that no peak is lost. */
const higher = (one: number | null, other: number | null): number | null =>
  one === null ? other : other === null ? one : Math.max(one, other);

const merged = (one: WatchPoint, other: WatchPoint): WatchPoint => ({
  at: one.at,
  cpuPercent: higher(one.cpuPercent, other.cpuPercent),
  rssKib: higher(one.rssKib, other.rssKib),
  threads: higher(one.threads, other.threads),
  fds: higher(one.fds, other.fds),
});

/** Half as many points when there are too many; the first and the last stay what they are. */
const thinned = (points: readonly WatchPoint[]): WatchPoint[] => {
  if (points.length <= MOST_POINTS) return [...points];
  const kept = [...points.slice(0, 1)];
  for (let at = 1; at < points.length - 1; at += 2) {
    const [one, other] = [points[at], at + 1 < points.length - 1 ? points[at + 1] : undefined];
    if (one !== undefined) kept.push(other === undefined ? one : merged(one, other));
  }
  return [...kept, ...points.slice(-1)];
};

interface Told {
  readonly causes: WatchedCause[];
  readonly changes: Change[];
}

const compare = (watch: Watch, report: Report): Told => {
  const causes = new Map(watch.causes.map((each) => [each.cause, { ...each, seen: false }]));
  const changes: Change[] = [];
  const say = (said: number, change: (last: boolean) => Change): number => {
    if (said >= MOST_SAID) return said;
    changes.push(change(said + 1 === MOST_SAID));
    return said + 1;
  };
  const now = found(report);
  for (const finding of now) {
    const { cause, title } = finding;
    const known = causes.get(cause);
    const said = known?.said ?? 0;
    const fresh = watch.compared && known?.present !== true;
    const after = fresh ? say(said, (last) => ({ kind: 'appeared', finding, last })) : said;
    causes.set(cause, { cause, title, present: true, seen: true, clear: 0, said: after });
  }
  for (const known of causes.values()) {
    if (!known.present || now.some(({ cause }) => cause === known.cause)) continue;
    // Not found is not gone: only a rule that could judge says that.
    const why = report.ruledOut.find(({ cause }) => cause === known.cause)?.why;
    if (why === undefined) continue;
    const clear = known.clear + 1;
    if (clear < CLEAR_LOOKS) {
      causes.set(known.cause, { ...known, clear });
      continue;
    }
    const { cause, title } = known;
    const said = say(known.said, (last) => ({ kind: 'went', cause, title, why, last }));
    causes.set(cause, { ...known, present: false, clear: 0, said });
  }
  return { causes: [...causes.values()], changes };
};

const failed = (watch: Watch, code: FailureCode, sentence: string, at: number): Watch => ({
  ...watch,
  points: thinned([...watch.points, { at, ...NOTHING }]),
  failing: { times: (watch.failing?.times ?? 0) + 1, sentence },
  ended: ENDS.has(code)
    ? {
        at,
        why: GONE.has(code) && watch.startTime !== null ? `The process is gone. ${sentence}` : sentence,
        tell: true,
        shown: false,
      }
    : null,
});

/** A watch after the answer to its look number `round`. Pure. */
export const takeIn = (watch: Watch, round: number, answer: Answer | null, now: number): TakenIn => {
  const next: Watch = { ...watch, round };
  if (answer === null) return { watch: failed(next, 'internal', 'The answer of a look is lost.', now), changes: [] };
  const { outcome } = answer;
  if (outcome.kind === 'failure') {
    return { watch: failed(next, outcome.failure.code, outcome.failure.sentence, now), changes: [] };
  }
  const { report } = outcome;
  const { causes, changes } = compare(watch, report);
  return {
    watch: {
      ...next,
      startTime: watch.startTime ?? report.target.startTime,
      command: report.target.command,
      points: thinned([...watch.points, pointOf(report, now)]),
      failing: null,
      compared: true,
      causes,
    },
    changes,
  };
};
