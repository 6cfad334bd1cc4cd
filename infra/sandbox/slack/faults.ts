/**
 * What can go wrong with a request. The plain kinds strike before the work, the `after-effect` ones after it: the message is
 * posted, and the client hears of a failure.
 */
export type FaultKind =
  | '429'
  | '500'
  | 'timeout'
  | 'slow'
  | 'drop'
  | 'error'
  | 'after-effect-500'
  | 'after-effect-drop'
  | 'after-effect-timeout';

export interface Fault {
  kind: FaultKind;
  /** A method's name, `upload`, `response_url`, or every one when left out. */
  method?: string;
  /** Only requests whose arguments pass. */
  match?: (args: Record<string, unknown>) => boolean;
  /** How many requests it strikes; 1 by default, Infinity for all. */
  times?: number;
  /** For `429`: the Retry-After header, seconds. */
  retryAfter?: number;
  /** For `500` and `after-effect-500`: another status. */
  status?: number;
  /** For `slow`: how long the work is held back, ms. */
  delayMs?: number;
  /** For `slow`: held back until this is settled, instead. */
  until?: Promise<unknown>;
  /** For `error`: Slack's error code. */
  error?: string;
}

export interface PlacedFault {
  readonly left: number;
  remove(): void;
}

export interface Faults {
  add(fault: Fault): PlacedFault;
  clear(): void;
  /** The fault that strikes this request, which is then used up by one. */
  take(method: string, args: Record<string, unknown>): Fault | undefined;
}

/** Makes an empty list of faults. The first that fits strikes. */
export function createFaults(): Faults {
  const placed: { fault: Fault; left: number }[] = [];
  return {
    add(fault) {
      const entry = { fault, left: fault.times ?? 1 };
      placed.push(entry);
      return {
        get left() {
          return entry.left;
        },
        remove() {
          entry.left = 0;
        },
      };
    },
    clear() {
      placed.length = 0;
    },
    take(method, args) {
      const entry = placed.find(
        ({ fault, left }) =>
          left > 0 && (fault.method === undefined || fault.method === method) && (fault.match?.(args) ?? true),
      );
      if (entry === undefined) return undefined;
      entry.left -= 1;
      return entry.fault;
    },
  };
}
