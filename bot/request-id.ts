import { createHash } from 'node:crypto';

/**
 * The id of the request that something in Slack asks for. The same trigger or event always gives the same id, so that a
 * delivery that is repeated asks for nothing new.
 */
export const requestIdOf = (...source: readonly string[]): string =>
  `r-${createHash('sha256').update(JSON.stringify(source)).digest('hex').slice(0, 16)}`;
