import { randomBytes } from 'node:crypto';
import { type ChangeFeed, createChangeFeed } from './changes.ts';
import type { ChosenOption, SlackFile, SlackMessage, SlackView } from './types.ts';
import { seedWorld, type World } from './world.ts';

export interface StoredFile {
  file: SlackFile;
  bytes: Buffer | undefined;
  /** The length that was announced when the upload address was asked for. */
  announced: number;
  complete: boolean;
}

/** All that a local Slack knows. Only the functions of `messages.ts`, the methods and the user side change it. */
export interface State {
  world: World;
  changes: ChangeFeed;
  /** Channel, then ts; in the order of posting. */
  messages: Map<string, Map<string, SlackMessage>>;
  ephemerals: SlackMessage[];
  files: Map<string, StoredFile>;
  /** The modals a person sees, the lowest first. */
  modals: Map<string, SlackView[]>;
  homes: Map<string, SlackView>;
  /** What external menus last offered, by person and action id: only that can be chosen. */
  offered: Map<string, ChosenOption[]>;
  /** A time of Slack's: seconds and six digits, unique and rising. */
  nextTs(): string;
  /** An id such as `F` and ten characters. */
  newId(prefix: string): string;
}

/** Makes the state of a fresh workspace. */
export function createState(): State {
  let lastMicros = 0;
  return {
    world: seedWorld(),
    changes: createChangeFeed(),
    messages: new Map(),
    ephemerals: [],
    files: new Map(),
    modals: new Map(),
    homes: new Map(),
    offered: new Map(),
    nextTs() {
      lastMicros = Math.max(lastMicros + 1, Date.now() * 1000);
      return `${Math.floor(lastMicros / 1e6)}.${String(lastMicros % 1e6).padStart(6, '0')}`;
    },
    newId(prefix) {
      return `${prefix}${randomBytes(5).toString('hex').toUpperCase()}`;
    },
  };
}
