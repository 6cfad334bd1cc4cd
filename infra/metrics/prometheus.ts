import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Counts } from './counts.ts';

/** How full a queue is. */
export interface QueueFigures {
  readonly queue: string;
  readonly state: 'waiting' | 'active' | 'delayed' | 'failed';
  readonly count: number;
}

/** What is asked for whenever somebody reads the metrics. */
export interface Asked {
  readonly depths: readonly QueueFigures[];
  /** Age of the oldest message that waits, by queue, s; 0 when none does. */
  readonly oldest: ReadonlyMap<string, number>;
  /** This machine's clock less Redis's, s; null when it is not known. */
  readonly clockOff: number | null;
}

/** The counts of this process, as Prometheus reads them. */
export interface Metrics {
  readonly counts: Counts;
  /** The text format. `ask` is asked first; what it cannot say is left out. */
  readonly text: (ask: () => Promise<Asked | null>) => Promise<string>;
  readonly contentType: string;
}

const WORD = /^[A-Za-z][A-Za-z0-9_.:-]{0,60}$/;
/** More values than this of one label are `other`: a bug must not become a bill. */
const MOST_VALUES = 150;

/** Lets through so many different words of a label; everything else is `other`. */
const words = (): ((value: string) => string) => {
  const known = new Set<string>();
  return (value) => {
    if (known.has(value)) return value;
    if (!WORD.test(value) || known.size >= MOST_VALUES) return 'other';
    known.add(value);
    return value;
  };
};

/** Opens a registry of its own: several can be in one process. */
export const openMetrics = (version: string): Metrics => {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Counter({ name: `straceback_${name}`, help, labelNames, registers });
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Gauge({ name: `straceback_${name}`, help, labelNames, registers });
  const histogram = <Label extends string>(
    name: string,
    help: string,
    buckets: number[],
    labelNames: readonly Label[] = [],
  ) => new Histogram({ name: `straceback_${name}`, help, buckets, labelNames, registers });

  gauge('info', 'The version that runs.', ['version']).set({ version }, 1);
  const looks = counter('looks_total', 'Looks that ended, by what they came to.', ['outcome', 'cause']);
  const seconds = histogram('look_seconds', 'How long looks took.', [1, 2, 5, 10, 20, 40, 80, 160, 320]);
  const phases = histogram(
    'phase_seconds',
    'How long the phases of looks took.',
    [0.1, 0.3, 1, 3, 10, 30, 100],
    ['phase'],
  );
  const stalls = histogram(
    'stall_seconds',
    'The longest time that each look is known to have kept its process from running.',
    [0, 0.005, 0.02, 0.1, 0.3, 1, 3, 10, 30],
  );
  const slack = counter('slack_calls_total', 'Calls to Slack, by method and how they ended.', ['method', 'code']);
  const requests = counter('model_requests_total', 'Requests to the model.', ['outcome']);
  const tokens = counter('model_tokens_total', 'Tokens to and from the model.', ['direction']);
  const price = counter('model_price_dollars_total', 'What the tokens cost, where the price is configured.');
  const alerts = counter('alerts_total', 'Requests of alert sources.', ['source', 'outcome']);
  const approvals = counter('approvals_total', 'What became of what needs a yes.', ['outcome']);
  const evidence = counter('evidence_store_requests_total', 'Requests to the bucket that evidence is kept in.', [
    'operation',
    'outcome',
  ]);
  const connections = gauge('host_connections', 'Connections to hosts that are open.');
  const depth = gauge('queue_messages', 'Messages in the queues.', ['queue', 'state']);
  const oldest = gauge('queue_oldest_seconds', 'Age of the oldest message that waits.', ['queue']);
  const clock = gauge('clock_offset_seconds', 'The clock of this machine less that of Redis.');

  let openConnections: (() => number) | null = null;
  const [outcome, cause, method, code] = [words(), words(), words(), words()];
  const [source, alertOutcome, approval, queueName] = [words(), words(), words(), words()];
  const [operation, stored] = [words(), words()];
  return {
    contentType: registry.contentType,
    counts: {
      look: (count) => {
        looks.inc({ outcome: outcome(count.outcome), cause: cause(count.cause) });
        seconds.observe(count.seconds);
        if (count.stallMs !== null) stalls.observe(count.stallMs / 1000);
      },
      phase: (phase, took) => phases.observe({ phase: String(Math.trunc(phase)) }, took),
      slack: (name, end) => slack.inc({ method: method(name), code: code(end) }),
      model: (count) => {
        requests.inc({ outcome: count.outcome });
        tokens.inc({ direction: 'in' }, count.input);
        tokens.inc({ direction: 'out' }, count.output);
        if (count.price !== null) price.inc(count.price);
      },
      alert: (name, end) => alerts.inc({ source: source(name), outcome: alertOutcome(end) }),
      approval: (end) => approvals.inc({ outcome: approval(end) }),
      evidence: (name, end) => evidence.inc({ operation: operation(name), outcome: stored(end) }),
      hostConnections: (ask) => {
        openConnections = ask;
      },
    },
    text: async (ask) => {
      const asked = await ask().catch(() => null);
      if (openConnections !== null) connections.set(openConnections());
      for (const each of [depth, oldest, clock]) each.reset();
      for (const { queue, state, count } of asked?.depths ?? []) depth.set({ queue: queueName(queue), state }, count);
      for (const [queue, age] of asked?.oldest ?? []) oldest.set({ queue: queueName(queue) }, age);
      clock.set(asked?.clockOff ?? Number.NaN);
      return await registry.metrics();
    },
  };
};
