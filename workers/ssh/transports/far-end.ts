import type { HostFacts } from '../remote-step.ts';

/** What earlier shells found at the far end of a connection. It is a guess: hosts change, and each shell sees for itself. */
export interface FarEnd {
  runner: 'sent' | 'installed' | null;
  facts: HostFacts | null;
}

/** Some two KiB each. */
const MOST = 1_000;
const known = new Map<string, FarEnd>();

/** What is known of the far end of the connections of this kind, to be read and written; the least used are forgotten. */
export const farEndOf = (key: string): FarEnd => {
  const found = known.get(key) ?? { runner: null, facts: null };
  known.delete(key);
  known.set(key, found);
  const [oldest] = known.keys();
  if (known.size > MOST && oldest !== undefined) known.delete(oldest);
  return found;
};
