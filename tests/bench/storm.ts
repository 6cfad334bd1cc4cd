import { setTimeout as sleep } from 'node:timers/promises';
import { canPostgres } from '../support/postgres.ts';
import { alertRequest, atPace, printMemory, printTimes, untilCounted } from './alerts.ts';
import { type BenchProgram, type HistoryKind, startBenchProgram } from './program.ts';
import type { Print } from './run.ts';
import { numberFrom } from './settings.ts';

const ALERTS = numberFrom('STRACEBACK_BENCH_ALERTS', 5_000);
const A_SECOND = numberFrom('STRACEBACK_BENCH_ALERTS_A_SECOND', 250);
/** It is quiet when Slack was not called for this long, if nothing else is said. */
const QUIET_MS = 15_000;
const AT_MOST_MS = 15 * 60_000;
/** Alertmanager tries for as long as its group_interval, whose default is this. */
const GIVE_UP_MS = 5 * 60_000;

/** Every alert is its own: a cluster that went away, of which each part tells. */
const alertOf = (index: number): object => ({
  group: `storm-${index}`,
  status: 'firing',
  severity: 'critical',
  title: `Instance ${index} of service-${index % 40} is down`,
  labels: { host: `web-${index % 500}`, service: `service-${index % 40}`, env: 'production' },
  annotations: { summary: `instance ${index} has not answered for 60 s` },
});

/** Waits until Slack is left alone; how long after now it was called last, s. */
const untilQuiet = async ({ slack }: BenchProgram, quietMs: number): Promise<number> => {
  const began = performance.now();
  let [calls, last] = [slack.requests().length, 0];
  for (;;) {
    await sleep(500);
    const now = performance.now() - began;
    const made = slack.requests().length;
    if (made !== calls) [calls, last] = [made, now];
    if (now - last > quietMs || now > AT_MOST_MS) return last / 1000;
  }
};

interface Sent {
  /** How often each status was answered. */
  readonly answers: Map<number, number>;
  readonly atOnce: number;
  readonly later: number;
}

/** Sends one alert until it is taken, as sources do: when it is told to come again, and for as long as a group's interval. */
const sendUntilTaken = async (
  program: BenchProgram,
  payload: object,
  answers: Map<number, number>,
): Promise<number> => {
  const began = performance.now();
  const send = alertRequest(program, payload);
  for (let times = 1; ; times += 1) {
    const { status, againMs } = await send();
    answers.set(status, (answers.get(status) ?? 0) + 1);
    if (status === 202) return times;
    if (performance.now() - began > GIVE_UP_MS) return 0;
    await sleep(againMs);
  }
};

const printSent = (print: Print, name: string, { answers, atOnce, later }: Sent): void => {
  for (const [status, count] of [...answers].sort()) print(name, `answered ${status}`, count, 'times');
  print(name, 'acknowledged at once', atOnce, 'alerts');
  print(name, 'acknowledged when sent again', later, 'alerts');
};

const printSlack = (print: Print, name: string, { slack }: BenchProgram): void => {
  const own = slack.world.channels.flatMap(({ id }) => slack.messages(id)).filter(({ bot_id }) => bot_id !== undefined);
  const threads = own.filter(({ thread_ts, ts }) => thread_ts === undefined || thread_ts === ts);
  print(name, 'threads', threads.length, 'threads');
  print(name, 'replies in threads', own.length - threads.length, 'messages');
  const methods = new Map<string, number>();
  for (const { method } of slack.requests()) methods.set(method, (methods.get(method) ?? 0) + 1);
  for (const [method, calls] of [...methods].sort()) print(name, `calls of ${method}`, calls, 'calls');
};

/** So many different alerts at 250 a second, as when a whole cluster goes away, at a bot that keeps its history so. */
export const storm = async (
  printed: Print,
  history: HistoryKind,
  alerts: number,
  quietMs = QUIET_MS,
): Promise<void> => {
  const name = 'storm';
  const print: Print = (bench, figure, value, unit) => printed(bench, `history ${history}: ${figure}`, value, unit);
  const program = await startBenchProgram(history);
  try {
    const before = await program.figures();
    const answers = new Map<number, number>();
    let [atOnce, later] = [0, 0];
    const began = performance.now();
    const took = await atPace(
      alerts,
      async (index) => {
        const times = await sendUntilTaken(program, alertOf(index), answers);
        if (times === 1) atOnce += 1;
        else if (times > 1) later += 1;
      },
      A_SECOND,
    );
    print(name, 'sent', alerts, 'alerts');
    print(name, 'sent and answered within', (performance.now() - began) / 1000, 's');
    printSent(print, name, { answers, atOnce, later });
    printTimes(print, name, took);
    const groups = Array.from({ length: alerts }, (_, index) => `storm-${index}`);
    const { seconds, counted } = await untilCounted(program, groups, atOnce + later);
    print(name, 'counted in their groups', counted, 'alerts');
    print(name, 'all counted after the last', seconds, 's');
    print(name, 'last call to Slack after that', await untilQuiet(program, quietMs), 's');
    printSlack(print, name, program);
    print(name, 'set for later in the queue', (await program.queue.pending()).intake, 'errands');
    await printMemory(print, name, program, before);
  } finally {
    await program.close();
  }
};

export const run = async (print: Print): Promise<void> => {
  await storm(print, 'embedded', ALERTS);
  if (canPostgres()) await storm(print, 'postgresql', ALERTS);
};
