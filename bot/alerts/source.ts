import type { IncomingHttpHeaders } from 'node:http';
import type { z } from 'zod';
import type { Notice } from './notice.ts';

/** A request of a source, whole. */
export interface AlertCall {
  /** The bytes as they came: signatures are of these. */
  readonly body: Uint8Array;
  readonly headers: IncomingHttpHeaders;
  /** Milliseconds since 1970, by the bot's clock. */
  readonly now: number;
}

/** What one source is checked against. */
export interface SourceSecrets {
  /** Each of them is good; several while one is being changed. */
  readonly secrets: readonly string[];
  /** The user name of basic authentication; undefined: any. */
  readonly user: string | undefined;
}

/** Why a request is not believed. `sentence` tells the sender what to set right and nothing else. */
export interface NotBelieved {
  /** 401: it brought nothing to check. 403: what it brought is wrong, too old or from the future. */
  readonly status: 401 | 403;
  readonly sentence: string;
}

/** One way in which a source proves that a request is its own. */
export interface Way {
  /** Without these the request is refused before its body is read. Small letters. */
  readonly headers: readonly string[];
  /** `headers`: checked before the body is read, with an empty one. */
  readonly reads: 'headers' | 'body';
  /** Null when the request is believed. Never throws; compares in constant time. */
  readonly check: (call: AlertCall, against: SourceSecrets) => NotBelieved | null;
}

/** What makes two requests the same delivery. */
export interface Sameness {
  /** From what the source signed or sent: an id of the event, or the whole. */
  readonly key: string | Uint8Array;
  /** For how long a second one is taken for the first, seconds. Longer than a request stays believable. */
  readonly seconds: number;
}

/**
 * A source of alerts; its file's name. The last part of the address that it sends to. What it tells is put into the one form
 * that all sources share; everything in it is untrusted.
 */
export interface AlertSource<Payload = unknown> {
  readonly source: string;
  /** By name, as the configuration calls them; the first is the default. */
  readonly ways: Readonly<Record<string, Way>>;
  /** What is read of the payload; other fields may be there. */
  readonly schema: z.ZodType<Payload>;
  /**
   * For sources whose signature covers the time of the event: why this event is too old or not yet, or null. Never throws.
   */
  readonly untimely?: (payload: Payload, now: number) => string | null;
  readonly sameness: (payload: Payload, call: AlertCall) => Sameness;
  /** Empty for events that say nothing about an alert. Never throws; every notice keeps to its schema. */
  readonly parse: (payload: Payload, now: number) => Notice[];
}

/** Keeps a source's types while declaring it. */
export const defineSource = <Payload>(source: AlertSource<Payload>): AlertSource<Payload> => source;
