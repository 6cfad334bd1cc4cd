/**
 * Waits until something is so that gives no event (a file in /proc, a folder that goes away). Resolves with the first value
 * that is not null or false; throws when there is none within `seconds`, which is there to end a hang.
 */
export const until = async <Value>(
  what: string,
  look: () => Promise<Value | null | false> | Value | null | false,
  seconds = 30,
): Promise<Value> => {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await look();
    if (value !== null && value !== false) return value;
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};
