import { setTimeout as sleep } from 'node:timers/promises';
import { atPace, printMemory, printTimes, sendAlert, untilCounted } from './alerts.ts';
import { type BenchProgram, startBenchProgram } from './program.ts';
import type { Print } from './run.ts';
import { numberFrom } from './settings.ts';

const ALERTS = numberFrom('STRACEBACK_BENCH_ALERTS', 5_000);
const A_SECOND = 250;
/** It is quiet when Slack was not called for this long. */
const QUIET_MS = 15_000;
const AT_MOST_MS = 15 * 60_000;

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
const untilQuiet = async ({ slack }: BenchProgram): Promise<number> => {
  const began = performance.now();
  let [calls, last] = [slack.requests().length, 0];
  for (;;) {
    await sleep(500);
    const now = performance.now() - began;
    const made = slack.requests().length;
    if (made !== calls) [calls, last] = [made, now];
    if (now - last > QUIET_MS || now > AT_MOST_MS) return last / 1000;
  }
};

/** 5,000 different alerts at 250 a second, as when a whole cluster goes away. */
export const run = async (print: Print): Promise<void> => {
  const program = await startBenchProgram();
  try {
    const { now: before } = await program.memory();
    let taken = 0;
    const began = performance.now();
    const took = await atPace(
      ALERTS,
      async (index) => {
        if ((await sendAlert(program, alertOf(index))) === 202) taken += 1;
      },
      A_SECOND,
    );
    print('storm', 'sent', ALERTS, 'alerts');
    print('storm', 'sent and answered within', (performance.now() - began) / 1000, 's');
    print('storm', 'acknowledged', taken, 'alerts');
    printTimes(print, 'storm', took);
    const groups = Array.from({ length: ALERTS }, (_, index) => `storm-${index}`);
    const { seconds, counted } = await untilCounted(program, groups, taken);
    print('storm', 'counted in their groups', counted, 'alerts');
    print('storm', 'all counted after the last', seconds, 's');
    print('storm', 'last call to Slack after that', await untilQuiet(program), 's');
    const { slack } = program;
    const own = slack.world.channels
      .flatMap(({ id }) => slack.messages(id))
      .filter(({ bot_id }) => bot_id !== undefined);
    const threads = own.filter(({ thread_ts, ts }) => thread_ts === undefined || thread_ts === ts);
    print('storm', 'threads', threads.length, 'threads');
    print('storm', 'replies in threads', own.length - threads.length, 'messages');
    const methods = new Map<string, number>();
    for (const { method } of slack.requests()) methods.set(method, (methods.get(method) ?? 0) + 1);
    for (const [method, calls] of [...methods].sort()) print('storm', `calls of ${method}`, calls, 'calls');
    const left = await program.queue.pending();
    print('storm', 'set for later in the queue', left.intake, 'errands');
    await printMemory(print, 'storm', program, before);
  } finally {
    await program.close();
  }
};
