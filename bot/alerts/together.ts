/**
 * Runs work that is asked for often, one thing at a time: what is asked for while an earlier run goes on is done in the next
 * run, all of it at once. So a thousand pieces of news of one group cost a few turns and not a thousand. Each caller
 * gets the end of the run that had its item.
 */
export const together = <Item>(
  work: (items: readonly Item[]) => Promise<void>,
): ((key: string, item: Item) => Promise<void>) => {
  const running = new Map<string, Promise<void>>();
  const waiting = new Map<string, { items: Item[]; done: Promise<void> }>();
  return (key, item) => {
    const joined = waiting.get(key);
    if (joined !== undefined) {
      joined.items.push(item);
      return joined.done;
    }
    const items = [item];
    // What the run before threw is its own callers' matter.
    const before = (running.get(key) ?? Promise.resolve()).catch(() => undefined);
    const done = before.then(async () => {
      waiting.delete(key);
      running.set(key, done);
      try {
        await work(items);
      } finally {
        if (running.get(key) === done) running.delete(key);
      }
    });
    waiting.set(key, { items, done });
    return done;
  };
};
