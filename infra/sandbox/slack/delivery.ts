import { randomUUID } from 'node:crypto';
import type { ChangeFeed } from './changes.ts';
import type { Settings } from './options.ts';

export type EnvelopeType = 'slash_commands' | 'interactive' | 'events_api';

/** What an app answered, or why it is taken not to have answered. */
export type Ack = { acked: true; payload: unknown } | { acked: false; reason: AckFailure };
export type AckFailure = 'timeout' | 'no_connection' | 'http_error';

/** One try to hand something to the app. */
export interface Attempt {
  type: EnvelopeType;
  envelopeId: string;
  payload: Record<string, unknown>;
  /** 0 for the first try. */
  number: number;
  /** Why there is a further try; empty at the first. */
  reason: string;
}

export interface Transport {
  send(attempt: Attempt, timeoutMs: number): Promise<Ack>;
}

/** Carries commands, interactions and events to the app, with Slack's rules about tries. */
export interface Delivery {
  /** One try: the person who waits is told when it fails. */
  ask(type: 'slash_commands' | 'interactive', payload: Record<string, unknown>): Promise<Ack>;
  /** Up to four tries. Resolves when acknowledged or given up; nobody has to wait for it. */
  event(payload: Record<string, unknown>): Promise<Ack>;
  /** The next `times` events that pass `match` are delivered once more although acknowledged. */
  repeatEvents(times: number, match?: (payload: Record<string, unknown>) => boolean): void;
  /** Holds events back until `release`. */
  hold(): void;
  /** Delivers what was held back, in the given order, one after another. */
  release(order?: 'as-sent' | 'reversed'): Promise<void>;
  close(): void;
}

export function createDelivery(transportOf: () => Transport, settings: Settings, changes: ChangeFeed): Delivery {
  const repeats: { left: number; match: (payload: Record<string, unknown>) => boolean }[] = [];
  const timers = new Set<NodeJS.Timeout>();
  let held: (() => Promise<Ack>)[] | undefined;
  let closed = false;

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        timers.delete(timer);
        resolve();
      }, ms);
      timer.unref();
      timers.add(timer);
    });
  }

  async function attempt(it: Attempt): Promise<Ack> {
    const ack = await transportOf().send(it, settings.ackTimeoutMs);
    changes.tell({ kind: 'delivered', type: it.type, id: idOf(it), attempt: it.number, acked: ack.acked });
    return ack;
  }

  async function deliver(payload: Record<string, unknown>): Promise<Ack> {
    const envelopeId = randomUUID();
    const type = 'events_api';
    let ack = await attempt({ type, envelopeId, payload, number: 0, reason: '' });
    for (const [index, delay] of settings.retryDelaysMs.entries()) {
      if (ack.acked || closed) return ack;
      await pause(delay);
      ack = await attempt({ type, envelopeId, payload, number: index + 1, reason: ack.reason });
    }
    return ack;
  }

  async function deliverWithRepeats(payload: Record<string, unknown>): Promise<Ack> {
    const ack = await deliver(payload);
    const repeat = repeats.find((each) => each.left > 0 && each.match(payload));
    if (repeat === undefined) return ack;
    repeat.left -= 1;
    return attempt({ type: 'events_api', envelopeId: randomUUID(), payload, number: 1, reason: 'timeout' });
  }

  return {
    ask: (type, payload) => attempt({ type, envelopeId: randomUUID(), payload, number: 0, reason: '' }),
    event(payload) {
      if (held === undefined) return deliverWithRepeats(payload);
      return new Promise((resolve) => {
        held?.push(async () => {
          const ack = await deliverWithRepeats(payload);
          resolve(ack);
          return ack;
        });
      });
    },
    repeatEvents(times, match = () => true) {
      repeats.push({ left: times, match });
    },
    hold() {
      held ??= [];
    },
    async release(order = 'as-sent') {
      const waiting = held ?? [];
      held = undefined;
      if (order === 'reversed') waiting.reverse();
      for (const send of waiting) await send();
    },
    close() {
      closed = true;
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

function idOf(attempt: Attempt): string {
  const { event_id: eventId, trigger_id: triggerId } = attempt.payload;
  return String(eventId ?? triggerId ?? attempt.envelopeId);
}
