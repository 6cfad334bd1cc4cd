import { createHmac } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { groupIdOf } from '../../bot/alerts/group.ts';
import { readGroup } from '../../bot/alerts/group-notes.ts';
import type { ProcessFigures } from './process-figures.ts';
import { type BenchProgram, startBenchProgram } from './program.ts';
import type { Print } from './run.ts';

const A_SECOND = 100;
const SECONDS = Number(process.env.STRACEBACK_BENCH_SECONDS ?? 60);
const GROUPS = Array.from({ length: 300 }, (_, index) => `group-${index}`);
const DRAINED_MS = 10 * 60_000;

/**
 * Does something `count` times at an even pace whether or not earlier ones have ended, and gives how long each took from when it
 * was due, ms: a server that stalls delays all that were due meanwhile.
 */
export const atPace = async (
  count: number,
  act: (index: number) => Promise<void>,
  aSecond = A_SECOND,
): Promise<number[]> => {
  const took: number[] = [];
  const running: Promise<void>[] = [];
  const began = performance.now();
  for (let index = 0; index < count; index++) {
    const due = began + (index * 1_000) / aSecond;
    const wait = due - performance.now();
    if (wait > 0) await sleep(wait);
    running.push(act(index).then(() => void took.push(performance.now() - due)));
  }
  await Promise.all(running);
  return took.sort((a, b) => a - b);
};

/** Prints how long was waited, from the shortest to the longest of `took` (sorted, ms). */
export const printTimes = (print: Print, bench: string, took: readonly number[]): void => {
  const at = (share: number) => took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? Number.NaN;
  print(bench, 'acknowledged, p50', at(0.5), 'ms');
  print(bench, 'acknowledged, p99', at(0.99), 'ms');
  print(bench, 'acknowledged, longest', at(1), 'ms');
};

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/** What a source is told: a status, and when to come again, ms. */
export interface Told {
  readonly status: number;
  readonly againMs: number;
}

/** One alert as a source would send it: the same request, signature and all, however often. Rejects when it is not answered. */
export const alertRequest = ({ alertsPort, secret }: BenchProgram, payload: object): (() => Promise<Told>) => {
  const body = JSON.stringify(payload);
  const time = String(Math.floor(Date.now() / 1_000));
  const signature = createHmac('sha256', secret).update(`${time}.${body}`).digest('hex');
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'x-straceback-timestamp': time,
    'x-straceback-signature': `v1=${signature}`,
  };
  return () =>
    new Promise((resolve, reject) => {
      const to = { agent, host: '127.0.0.1', port: alertsPort, path: '/alerts/generic', method: 'POST', headers };
      const sending = request(to, (response) =>
        response.resume().once('end', () => {
          const { statusCode: status = 0, headers: told } = response;
          resolve({ status, againMs: Number(told['retry-after'] ?? 1) * 1_000 });
        }),
      );
      sending.once('error', reject).end(body);
    });
};

const alertOf = (index: number): object => ({
  group: GROUPS[index % GROUPS.length],
  status: Math.floor(index / GROUPS.length) % 2 === 0 ? 'firing' : 'resolved',
  severity: 'warning',
  title: `Requests of service ${index % GROUPS.length} take longer than 2 s`,
  labels: { host: `web-${index % 50}`, service: `service-${index % GROUPS.length}`, env: 'production' },
  annotations: { summary: `p99 is ${2_000 + index} ms`, event: String(index) },
});

/** How many alerts have been counted in their groups: all that were taken, or those that were after ten minutes. */
export const untilCounted = async (
  { queue }: BenchProgram,
  groups: readonly string[],
  taken: number,
): Promise<{ seconds: number; counted: number }> => {
  const began = performance.now();
  for (;;) {
    let counted = 0;
    for (const group of groups)
      counted += (await readGroup({ queue }, groupIdOf({ source: 'generic', group })))?.told ?? 0;
    const passed = performance.now() - began;
    if (counted >= taken || passed > DRAINED_MS) return { seconds: passed / 1_000, counted };
    await sleep(500);
  }
};

const drained = async ({ queue }: BenchProgram): Promise<number> => {
  const began = performance.now();
  while ((await queue.pending()).intake > 0) {
    if (performance.now() - began > DRAINED_MS) throw new Error('what was taken is not worked on');
    await sleep(200);
  }
  return (performance.now() - began) / 1_000;
};

export const printMemory = async (
  print: Print,
  bench: string,
  program: BenchProgram,
  before: ProcessFigures,
): Promise<void> => {
  const { rss, peak, cpu } = await program.figures();
  print(bench, 'processor time of the bot', cpu - before.cpu, 's');
  print(bench, 'resident before', before.rss, 'MiB');
  print(bench, 'resident at most', peak, 'MiB');
  print(bench, 'resident afterwards', rss, 'MiB');
};

/** 100 alerts a second for a minute, of 300 groups that fire and resolve. */
const alerts = async (print: Print): Promise<void> => {
  const program = await startBenchProgram();
  try {
    const count = A_SECOND * SECONDS;
    const before = await program.figures();
    let taken = 0;
    const took = await atPace(count, async (index) => {
      if ((await alertRequest(program, alertOf(index))()).status === 202) taken += 1;
    });
    printTimes(print, 'alerts', took);
    print('alerts', 'sent', count, 'alerts');
    print('alerts', 'acknowledged', taken, 'alerts');
    const { seconds, counted } = await untilCounted(program, GROUPS, taken);
    print('alerts', 'counted in their groups', counted, 'alerts');
    print('alerts', 'all counted after the last', seconds, 's');
    await printMemory(print, 'alerts', program, before);
  } finally {
    await program.close();
  }
};

/** 100 `/diagnose` a second for a minute, each for another process; no worker runs. */
const commands = async (print: Print): Promise<void> => {
  const program = await startBenchProgram();
  try {
    const count = A_SECOND * SECONDS;
    const channel = program.slack.world.channels.find(({ name }) => name === 'ops') ?? program.slack.world.channels[0];
    const user = program.slack.user('bob');
    const before = await program.figures();
    let taken = 0;
    const took = await atPace(count, async (index) => {
      const { ack } = await user.slash('/diagnose', `local ${index + 1_000}`, channel?.name ?? '');
      if (ack.acked) taken += 1;
    });
    printTimes(print, 'commands', took);
    print('commands', 'sent', count, 'commands');
    print('commands', 'acknowledged', taken, 'commands');
    print('commands', 'all threads open after the last', await drained(program), 's');
    const threads = program.slack
      .messages(channel?.id ?? '')
      .filter(({ bot_id, thread_ts, ts }) => bot_id !== undefined && (thread_ts === undefined || thread_ts === ts));
    print('commands', 'threads opened', threads.length, 'threads');
    print('commands', 'looks in the queue', (await program.queue.pending()).looks, 'looks');
    await printMemory(print, 'commands', program, before);
  } finally {
    await program.close();
  }
};

export const run = async (print: Print): Promise<void> => {
  await alerts(print);
  await commands(print);
};
