/** Something that is dear to open and can be shared. */
export interface Shared<Value> {
  readonly value: Value;
  /** Call once when it is not needed any more. */
  readonly release: () => void;
}

export interface PoolHooks<Value> {
  readonly alive: (value: Value) => boolean;
  /** Calls back once when it dies by itself. */
  readonly onDeath: (value: Value, died: () => void) => void;
  readonly close: (value: Value) => void;
}

interface Entry<Value> {
  readonly opening: Promise<Value>;
  users: number;
  idle: NodeJS.Timeout | undefined;
}

export interface Pool<Value> {
  /** The warm one for `key`, or a new one; those who ask at once share the opening. Rejects as `open` does. */
  readonly take: (key: string, open: () => Promise<Value>) => Promise<Shared<Value>>;
  /** Nobody gets this one any more; it is closed when its users have released it. */
  readonly retire: (key: string, value: Value) => void;
  /** Closes all, in use or not. */
  readonly closeAll: () => Promise<void>;
}

let opened = 0;

/** How many are open now, over all pools of this process. */
export const openConnections = (): number => opened;

/** Keeps one of each kind, counted by users, and closes it when nobody has used it for `idleMs` milliseconds. */
export const createPool = <Value>(hooks: PoolHooks<Value>, idleMs: number): Pool<Value> => {
  const warm = new Map<string, Entry<Value>>();
  const all = new Set<Entry<Value>>();

  const forget = (key: string, entry: Entry<Value>): void => {
    if (warm.get(key) === entry) warm.delete(key);
  };

  const end = async (key: string, entry: Entry<Value>): Promise<void> => {
    clearTimeout(entry.idle);
    forget(key, entry);
    const had = all.delete(entry);
    const value = await entry.opening.catch(() => undefined);
    if (value === undefined) return;
    if (had) opened -= 1;
    hooks.close(value);
  };

  const leave = (key: string, entry: Entry<Value>): void => {
    entry.users -= 1;
    if (entry.users > 0 || !all.has(entry)) return;
    if (warm.get(key) !== entry) {
      void end(key, entry);
      return;
    }
    entry.idle = setTimeout(() => void end(key, entry), idleMs);
    // A warm connection is no reason for the process to stay.
    entry.idle.unref();
  };

  const start = (key: string, open: () => Promise<Value>): Entry<Value> => {
    const entry: Entry<Value> = { opening: open(), users: 0, idle: undefined };
    warm.set(key, entry);
    all.add(entry);
    entry.opening.then(
      (value) => {
        opened += 1;
        hooks.onDeath(value, () => void end(key, entry));
      },
      () => {
        forget(key, entry);
        all.delete(entry);
      },
    );
    return entry;
  };

  const take = async (key: string, open: () => Promise<Value>): Promise<Shared<Value>> => {
    const entry = warm.get(key) ?? start(key, open);
    entry.users += 1;
    clearTimeout(entry.idle);
    const value = await entry.opening;
    if (!hooks.alive(value)) {
      leave(key, entry);
      void end(key, entry);
      return take(key, open);
    }
    let released = false;
    const release = () => {
      if (!released) leave(key, entry);
      released = true;
    };
    return { value, release };
  };

  const retire = (key: string, value: Value): void => {
    const entry = warm.get(key);
    if (entry === undefined) return;
    void entry.opening.then((its) => {
      if (its !== value) return;
      forget(key, entry);
      if (entry.users === 0) void end(key, entry);
    });
  };

  const closeAll = async (): Promise<void> => {
    const entries = [...all];
    warm.clear();
    await Promise.all(entries.map((entry) => end('', entry)));
  };

  return { take, retire, closeAll };
};
