import type { Writable } from 'node:stream';

/** What is written to a runner, piece by piece: words of one look, and bytes that all looks share, so that none holds a copy. */
export type Lines = readonly (string | Uint8Array)[];

/** By text, then by what else makes the bytes. Probes carry some dozens of scripts. */
const shared = new Map<string, Map<string, Uint8Array>>();
const MOST = 500;

/** The bytes of what `write` makes of a text, the same ones for everybody who asks for them by this name. */
export const sharedBytes = (text: string, name: string, write: () => string): Uint8Array => {
  if (shared.size >= MOST) shared.clear();
  const named = shared.get(text) ?? new Map<string, Uint8Array>();
  shared.set(text, named);
  const bytes = named.get(name) ?? Buffer.from(write());
  named.set(name, bytes);
  return bytes;
};

/** Writes all of it, in as few pieces as the stream can. */
export const writeLines = (stream: Writable, lines: Lines): void => {
  stream.cork();
  for (const each of lines) if (each.length > 0) stream.write(each);
  stream.uncork();
};
