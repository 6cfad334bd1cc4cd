/** How often a message is tried that must arrive. */
export const UNTIL_DONE = { attempts: 3_000, backoff: { type: 'custom' } };

/**
 * For how long a message is kept when it is done, so that a repeated one is known to be one. It is said by who takes messages: with
 * each of them it would be written, kept and read each time.
 */
export const KEPT = {
  removeOnComplete: { age: 24 * 3600, count: 2_000 },
  removeOnFail: { age: 7 * 24 * 3600, count: 2_000 },
};
