import type { Change, ChangeKind } from './types.ts';

export type ChangeOf<Kind extends ChangeKind> = Extract<Change, { kind: Kind }>;

/** Tells everyone who listens what has changed. */
export interface ChangeFeed {
  tell(change: Change): void;
  /** Listens to one kind of change, or to all with `*`; returns what ends it. */
  on<Kind extends ChangeKind>(kind: Kind, listener: (change: ChangeOf<Kind>) => void): () => void;
  onAny(listener: (change: Change) => void): () => void;
  /**
   * Resolves with what `probe` returns as soon as that is neither undefined nor false: asked at once (without a change),
   * then after every change. Rejects after `timeoutMs`, saying what was awaited.
   */
  waitFor<T>(probe: (change: Change | undefined) => T | undefined | false, options?: WaitOptions): Promise<T>;
}

export interface WaitOptions {
  timeoutMs?: number;
  /** Named in the error when it does not come. */
  what?: string;
}

/** Makes a feed without listeners. */
export function createChangeFeed(): ChangeFeed {
  const listeners = new Set<(change: Change) => void>();

  function onAny(listener: (change: Change) => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  function on<Kind extends ChangeKind>(kind: Kind, listener: (change: ChangeOf<Kind>) => void): () => void {
    const isWanted = (change: Change): change is ChangeOf<Kind> => change.kind === kind;
    return onAny((change) => {
      if (isWanted(change)) listener(change);
    });
  }

  function tell(change: Change): void {
    for (const listener of [...listeners]) listener(change);
  }

  function waitFor<T>(
    probe: (change: Change | undefined) => T | undefined | false,
    { timeoutMs = 30_000, what = 'a change' }: WaitOptions = {},
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = (change: Change | undefined): void => {
        try {
          const found = probe(change);
          if (found === undefined || found === false) return;
          end();
          resolve(found);
        } catch (error) {
          end();
          reject(error);
        }
      };
      const timer = setTimeout(() => {
        end();
        reject(new Error(`the local Slack waited ${timeoutMs} ms for ${what} in vain`));
      }, timeoutMs);
      const stop = onAny(look);
      const end = (): void => {
        clearTimeout(timer);
        stop();
      };
      look(undefined);
    });
  }

  return { tell, on, onAny, waitFor };
}
