import type { Log } from '../../infra/log.ts';

const PAUSE_MS = 10_000;

/**
 * A log for what strangers can cause as often as they like: of each kind one line in ten seconds, with how many there were since the
 * line before. Kinds must be few and our own words.
 */
export const seldom = (log: Log): ((kind: string) => void) => {
  const said = new Map<string, { at: number; since: number }>();
  return (kind) => {
    const before = said.get(kind);
    if (before !== undefined && performance.now() - before.at < PAUSE_MS) {
      before.since += 1;
      return;
    }
    said.set(kind, { at: performance.now(), since: 0 });
    log.warn({ kind, before: before?.since ?? 0 }, 'alert refused');
  };
};
