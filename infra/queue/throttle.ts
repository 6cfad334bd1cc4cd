/** A function that is called often and acts seldom: the newest value wins, an older one is forgotten. */
export interface Throttle<Value> {
  readonly call: (value: Value) => void;
  /** Forgets what has not been sent yet; later calls do nothing. */
  readonly stop: () => void;
}

/**
 * Calls `send` at once for the first value and then at most every `everyMs`, never twice at the same time. What
 * `send` throws is dropped: the next value is newer than the lost one.
 */
export const throttle = <Value>(everyMs: number, send: (value: Value) => Promise<unknown>): Throttle<Value> => {
  let waiting: { value: Value } | null = null;
  let timer: NodeJS.Timeout | null = null;
  let sending = false;
  let stopped = false;
  const next = () => {
    if (stopped || sending || timer !== null || waiting === null) return;
    const { value } = waiting;
    waiting = null;
    sending = true;
    timer = setTimeout(() => {
      timer = null;
      next();
    }, everyMs);
    void send(value)
      .catch(() => undefined)
      .finally(() => {
        sending = false;
        next();
      });
  };
  return {
    call: (value) => {
      waiting = { value };
      next();
    },
    stop: () => {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
};
