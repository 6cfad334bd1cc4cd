import { setTimeout as sleep } from 'node:timers/promises';
import { silentLog } from '../../infra/log.ts';
import { openBotQueue } from '../../infra/queue/bot-side.ts';
import { type Asked, openAsker } from './asking.ts';
import { openFaults } from './faults.ts';
import {
  answersOf,
  type Invariant,
  leftOf,
  type Outcomes,
  outcomesOf,
  sidesOf,
  truthOf,
  unhurtOf,
} from './invariants.ts';
import { FINAL_PARTS, markIn } from './marks.ts';
import type { Parts } from './parts.ts';
import { type FaultKind, type Plan, planRun } from './plan.ts';
import type { Resident } from './processes.ts';
import { historyOf, keptLooks, redisOf } from './stores.ts';

export interface Ran {
  readonly plan: Plan;
  readonly asked: readonly Asked[];
  readonly outcomes: Outcomes;
  readonly faults: ReadonlyMap<FaultKind, number>;
  readonly invariants: readonly Invariant[];
  readonly resident: readonly Resident[];
  readonly seconds: number;
}

/** So many requests are under way at once. */
const AT_ONCE = 8;
/** The next one is asked after so long even when none was answered, ms: what hangs is found at the end. */
const LONGEST_TURN_MS = 30_000;
/** The longest that is waited for all answers, and for what is cleared up on hosts, ms. */
const LONGEST_QUIET_MS = 15 * 60_000;
const LONGEST_CLEARING_MS = 60_000;

const messagesOf = ({ slack }: Parts) => ['ops', 'alerts'].flatMap((channel) => slack.messages(channel));

/** Waits until something is so, or for the longest time. Says whether it is. */
const untilSo = async (longestMs: number, look: () => Promise<boolean> | boolean): Promise<boolean> => {
  const end = Date.now() + longestMs;
  for (;;) {
    if (await look()) return true;
    if (Date.now() > end) return false;
    await sleep(200);
  }
};

/** Waits until the queues have nothing left to do. */
const untilQuiet = async (redisUrl: string): Promise<boolean> => {
  const queue = openBotQueue({ redisUrl, log: silentLog });
  try {
    let quiet = 0;
    // An answer may be on its way from one queue to the next when they are counted.
    return await untilSo(LONGEST_QUIET_MS, async () => {
      const left = await queue.pending().catch(() => null);
      quiet = left !== null && left.intake + left.looks + left.answers === 0 ? quiet + 1 : 0;
      return quiet >= 10;
    });
  } finally {
    await queue.close();
  }
};

const historyKept = async (parts: Parts, answered: ReadonlySet<string>): Promise<Invariant[]> => {
  const { postgres } = parts;
  if (postgres === null) return [];
  let kept: readonly string[] = [];
  await untilSo(LONGEST_CLEARING_MS, async () => {
    kept = await keptLooks(postgres.url).catch(() => []);
    const there = new Set(kept);
    return [...answered].every((id) => there.has(id));
  });
  return [historyOf(kept, answered)];
};

/** Does what the seed plans with the parts, waits until nothing is left to do, and looks at what is left. Ends bots and workers. */
export const runFaults = async (
  parts: Parts,
  options: { readonly seed: number; readonly looks: number; readonly say: (line: string) => void },
): Promise<Ran> => {
  const began = Date.now();
  const plan = planRun(options.seed, options.looks);
  const asker = openAsker(parts, `run-${options.seed}`);
  const faults = openFaults(parts, asker);
  const asked: Asked[] = [];
  const asking = new Set<Promise<void>>();
  let next = 0;
  for (const [index, look] of plan.looks.entries()) {
    faults.passed(index);
    for (; next < plan.faults.length && (plan.faults[next]?.at ?? 0) <= index; next += 1) {
      const fault = plan.faults[next];
      if (fault !== undefined) faults.make(fault);
    }
    const one = asker.ask(look, index).then((made) => {
      if (made !== null) asked.push(made);
    });
    asking.add(one);
    void one.finally(() => asking.delete(one)).catch(() => undefined);
    await untilSo(LONGEST_TURN_MS, () => asking.size + asker.underWay() < AT_ONCE);
    if ((index + 1) % 25 === 0)
      options.say(`${index + 1} asked, ${asker.answered()} answered, ${Math.round((Date.now() - began) / 1000)} s`);
  }
  await faults.over();
  await Promise.all(asking);
  asker.close();
  options.say('all asked; waiting for the last answers');
  const quiet = await untilQuiet(parts.redis.url);
  const messages = messagesOf(parts);
  const answered = new Set(
    messages.flatMap((message) => {
      const mark = markIn(message);
      return mark !== null && FINAL_PARTS.includes(mark.part) && mark.part !== 'refusal' ? [mark.request_id] : [];
    }),
  );
  // A search for the process of an alert that found nobody is no look.
  const history = await historyKept(parts, answered);
  const sides = [...parts.bots, ...parts.workers];
  const resident = sides.flatMap((side) => side.resident() ?? []);
  const redis = await redisOf(parts.redis.url);
  const died = sides.flatMap((side) => side.died());
  const ends = await Promise.all(sides.map((side) => side.stop()));
  await untilSo(LONGEST_CLEARING_MS, async () =>
    (await leftOf(parts.hosts)).every((each) => each.violations.length === 0),
  );
  return {
    plan,
    asked,
    outcomes: outcomesOf(asked, messages),
    faults: faults.made,
    resident,
    invariants: [
      ...answersOf(asked, messages),
      truthOf(messages),
      {
        name: 'All done in the end',
        of: '5 queues',
        violations: quiet ? [] : [`something was left to do after ${LONGEST_QUIET_MS / 60_000} min`],
      },
      await unhurtOf(parts.hosts),
      ...(await leftOf(parts.hosts)),
      ...redis,
      ...sidesOf([...died, ...ends.flatMap((each) => each ?? [])], resident),
      ...history,
    ],
    seconds: (Date.now() - began) / 1000,
  };
};
