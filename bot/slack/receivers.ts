import { setTimeout as sleep } from 'node:timers/promises';
import { type App, HTTPReceiver, LogLevel, type Receiver, type ReceiverEvent, SocketModeReceiver } from '@slack/bolt';
import type { Log } from '../../infra/log.ts';
import { endsWithin } from '../../infra/queue/within.ts';
import { clientOptions } from './api.ts';

/** Says how the connection to Slack is: one sentence for those who look after the program. */
export type TellState = (state: { readonly ok: boolean; readonly why: string }) => void;

/** Where Slack's commands and events come in. */
export interface Entrance {
  readonly receiver: Receiver;
  /** Resolves once Slack can reach the bot. Throws when it never will: a wrong token, a port that is taken. */
  readonly open: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Bolt's words in our log. Its debug lines have whole messages in them and are left out. */
const boltLogger = (log: Log) => {
  const words = (parts: unknown[]) =>
    parts.map((part) => (part instanceof Error ? part.message : String(part))).join(' ');
  return {
    debug: () => undefined,
    info: (...parts: unknown[]) => log.debug({ from: 'bolt' }, words(parts)),
    warn: (...parts: unknown[]) => log.warn({ from: 'bolt' }, words(parts)),
    error: (...parts: unknown[]) => log.warn({ from: 'bolt' }, words(parts)),
    setLevel: () => undefined,
    getLevel: () => LogLevel.INFO,
    setName: () => undefined,
  };
};

/**
 * Bolt acknowledges an event before anybody has seen it, so one that comes while the bot ends would be lost. Here the
 * acknowledgement waits for the listeners: an event that was not kept is delivered again by Slack.
 */
const acknowledgedWhenKept = (app: App, running: Set<Promise<void>>): App => {
  const view: App = Object.create(app);
  const take = async (event: ReceiverEvent) => {
    if (event.body.type !== 'event_callback') return await app.processEvent(event);
    let acknowledge: (() => Promise<void>) | null = null;
    await app.processEvent({
      ...event,
      ack: async (response) => {
        acknowledge = async () => void (await event.ack(response));
      },
    });
    await (acknowledge as (() => Promise<void>) | null)?.();
  };
  view.processEvent = async (event: ReceiverEvent) => {
    const done = take(event);
    running.add(done);
    try {
      await done;
    } finally {
      running.delete(done);
    }
  };
  return view;
};

const withLateAck = (receiver: Receiver, running = new Set<Promise<void>>()): Receiver => ({
  init: (app) => receiver.init(acknowledgedWhenKept(app, running)),
  start: (...args) => receiver.start(...args),
  stop: (...args) => receiver.stop(...args),
});

const FIRST_PAUSE_MS = 500;
const LAST_PAUSE_MS = 15_000;
const GREETING_MS = 30_000;
const ACKNOWLEDGED_MS = 3_000;

/** Errors that no waiting mends: Slack knows the token and refuses it. */
const isRefusal = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'slack_webapi_platform_error';

/**
 * Socket Mode. The connection is kept by a loop of our own: Bolt's waits five seconds after every planned reconnect, in
 * which commands would be lost, and ends the process when Slack's API fails while it reconnects.
 */
export const socketEntrance = (options: {
  appToken: string;
  apiUrl?: string | undefined;
  log: Log;
  tell?: TellState;
}): Entrance => {
  const { appToken, apiUrl, log, tell = () => undefined } = options;
  const receiver = new SocketModeReceiver({
    appToken,
    logger: boltLogger(log),
    autoReconnectEnabled: false,
    installerOptions: { clientOptions: clientOptions({ apiUrl }) },
  });
  const { client } = receiver;
  const stop = new AbortController();
  const running = new Set<Promise<void>>();
  let keeping: Promise<void> = Promise.resolve();

  /** Connects once. Throws when Slack says no, when the connection ends before it is greeted, or is not in time. */
  const connectOnce = async (): Promise<{ ended: Promise<void> }> => {
    const ended = new Promise<void>((resolve) => client.once('disconnected', () => resolve()));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error('Slack did not greet in time')), GREETING_MS);
    });
    const started = receiver.start();
    try {
      await Promise.race([started, late]);
      return { ended };
    } catch (error) {
      // Nobody waits for it any more.
      Promise.resolve(started).catch(() => undefined);
      if (!isRefusal(error)) void client.disconnect();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  };

  /** Connects, as often as it takes. Throws only what no waiting mends. Resolves with the end of the connection. */
  const connect = async (): Promise<{ ended: Promise<void> }> => {
    let said = false;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LAST_PAUSE_MS)) {
      try {
        const connection = await connectOnce();
        tell({ ok: true, why: 'Slack’s events come in over its socket.' });
        return connection;
      } catch (error) {
        if (isRefusal(error) || stop.signal.aborted) throw error;
        tell({ ok: false, why: 'There is no connection to Slack; commands do not arrive until there is one.' });
        if (!said) log.warn({ error: String(error) }, 'no connection to Slack; it is tried until there is one');
        said = true;
        await sleep(pause, undefined, { signal: stop.signal });
      }
    }
  };

  const keep = async (first: { ended: Promise<void> }): Promise<void> => {
    let { ended } = first;
    while (!stop.signal.aborted) {
      await ended;
      if (stop.signal.aborted) return;
      tell({ ok: false, why: 'The connection to Slack has ended and is made again.' });
      log.info({}, 'connection to Slack ended, connecting again');
      try {
        ({ ended } = await connect());
      } catch (error) {
        if (stop.signal.aborted) return;
        tell({ ok: false, why: 'Slack refuses the app token; check SLACK_APP_TOKEN.' });
        log.error({ error: String(error) }, 'Slack refuses the connection; commands do not arrive any more');
        await sleep(60_000, undefined, { signal: stop.signal }).catch(() => undefined);
        ended = Promise.resolve();
      }
    }
  };

  return {
    receiver: withLateAck(receiver, running),
    open: async () => {
      keeping = keep(await connect());
    },
    close: async () => {
      stop.abort();
      // What has come in is acknowledged first; Slack waits for that no longer than this.
      await endsWithin(
        Promise.allSettled([...running]).then(() => undefined),
        ACKNOWLEDGED_MS,
      );
      await client.disconnect();
      await keeping;
    },
  };
};

/** Events and commands over HTTP at `/slack/events`, each with Slack's signature, which Bolt checks. */
export const httpEntrance = (options: { signingSecret: string; port: number; log: Log }): Entrance => {
  const receiver = new HTTPReceiver({ signingSecret: options.signingSecret, logger: boltLogger(options.log) });
  return {
    receiver: withLateAck(receiver),
    open: async () => {
      await receiver.start(options.port);
    },
    close: () => receiver.stop(),
  };
};
