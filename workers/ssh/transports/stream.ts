import type { Readable, Writable } from 'node:stream';
import type { LookFailed } from '../../../playbooks/model/index.ts';
import type { FarEnd } from './far-end.ts';

/** How the far end of a stream went away. */
export interface StreamEnd {
  /** Exit status of the far shell; null when it was lost or ended by a signal. */
  readonly exit: number | null;
}

/** A shell somewhere, as bytes in and out: what a transport gives. */
export interface HostStream {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves once the far end is gone and everything it said has been read. Never rejects. */
  readonly closed: Promise<StreamEnd>;
  /** What is known of the far end; absent where nobody need know. */
  readonly farEnd?: FarEnd;
  /** Gives up the stream without waiting for anything. */
  readonly destroy: () => void;
  /** Why it ended before the far shell said a word, when the transport can tell that from its end and its error text. */
  readonly explain?: (end: StreamEnd, said: string) => LookFailed | undefined;
}

/**
 * What the far side is asked to run: `sh -s`, as root if the login is root or `sudo -n` allows it. One pair of single quotes
 * and nothing else special, so that every login shell (csh and fish too) hands it on unchanged.
 */
export const startCommand = (sudo: 'auto' | 'never'): string =>
  sudo === 'never' ? 'exec sh -s' : `exec sh -c '${RAISE}'`;

const RAISE =
  'if [ "$(id -u)" != 0 ] && sudo -n sh -c : </dev/null >/dev/null 2>&1; then exec sudo -n sh -s; else exec sh -s; fi';
