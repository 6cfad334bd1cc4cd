/** What a look came to. */
export interface LookCount {
  /** `fault`, `healthy`, `unclear`, or the code of a failure. */
  readonly outcome: string;
  /** The first finding's cause; `none` without one. */
  readonly cause: string;
  readonly seconds: number;
  /** The longest time that the process was kept from running, ms; null when there is no report. */
  readonly stallMs: number | null;
}

/** One request to the model's server. */
export interface ModelCount {
  /** `answered`, or why there is no answer in a few fixed words. */
  readonly outcome: 'answered' | 'failed';
  readonly input: number;
  readonly output: number;
  /** US dollars; null when the site has not said what tokens cost. */
  readonly price: number | null;
}

/**
 * What bot and workers count of their work. Given in, so that they know nothing of who reads it. What is handed over here becomes
 * labels: only words of a closed set, never a host, a pid, a person or anybody's text. Never throws.
 */
export interface Counts {
  readonly look: (count: LookCount) => void;
  /** How long a phase of a look took. */
  readonly phase: (phase: number, seconds: number) => void;
  /** A call to Slack: its method, and `ok`, `ratelimited`, `away` or Slack's own code. */
  readonly slack: (method: string, code: string) => void;
  readonly model: (count: ModelCount) => void;
  /** A request of an alert source, by what it was answered. */
  readonly alert: (source: string, outcome: string) => void;
  /** What became of something that needs somebody's yes. */
  readonly approval: (outcome: string) => void;
  /** A request to the bucket that evidence is kept in. */
  readonly evidence: (operation: string, outcome: string) => void;
  /** How many connections to hosts are open; asked whenever somebody reads the counts. */
  readonly hostConnections: (ask: () => number) => void;
}

const nothing = (): void => undefined;

/** Counts nothing. */
export const noCounts: Counts = {
  look: nothing,
  phase: nothing,
  slack: nothing,
  model: nothing,
  alert: nothing,
  approval: nothing,
  evidence: nothing,
  hostConnections: nothing,
};
