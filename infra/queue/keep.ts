/** How often a message is tried, and for how long it is kept when it is done, so that a repeated one is known to be one. */
export const KEEP = {
  attempts: 3_000,
  backoff: { type: 'custom' },
  removeOnComplete: { age: 24 * 3600, count: 2_000 },
  removeOnFail: { age: 7 * 24 * 3600, count: 2_000 },
};

/** The same for what is tried once, because an error of it is an answer, too. */
export const KEEP_ONCE = { removeOnComplete: KEEP.removeOnComplete, removeOnFail: KEEP.removeOnFail };
