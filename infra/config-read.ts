import { closeSync, openSync, readSync } from 'node:fs';
import { readYaml, type YamlText } from '../playbooks/model/index.ts';

/** Larger than any configuration: lists of hosts that long are an inventory's. */
const MOST_BYTES = 4 << 20;

/** A configuration that says nothing. */
export const NO_CONFIG: YamlText = { value: {}, lineOf: () => 1, lineOfKey: () => 1 };

/** All of a file, or of what a shell hands over as one (a pipe), but no more than one byte above the limit. Throws as node:fs does. */
const bytesOf = (file: string): Buffer => {
  const descriptor = openSync(file, 'r');
  try {
    const chunks: Buffer[] = [];
    for (let size = 0; size <= MOST_BYTES; ) {
      const chunk = Buffer.alloc(Math.min(64 << 10, MOST_BYTES + 1 - size));
      const count = readSync(descriptor, chunk);
      if (count === 0) break;
      chunks.push(chunk.subarray(0, count));
      size += count;
    }
    return Buffer.concat(chunks);
  } finally {
    closeSync(descriptor);
  }
};

const whyUnread = (error: unknown): string => {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  if (code === 'EISDIR') return 'is a folder; give the file in it';
  if (code === 'ENOENT')
    return 'cannot be read: it is not there (ENOENT); give its path by --config or STRACEBACK_CONFIG';
  if (code === 'EACCES') return 'cannot be read: this user may not (EACCES); let the group of the program read it';
  return `cannot be read (${error instanceof Error ? error.message : String(error)})`;
};

/** The text in UTF-8; a clause when it is none. */
const textOf = (bytes: Buffer): { readonly text: string } | { readonly why: string } => {
  if (bytes.length > MOST_BYTES) return { why: `is larger than ${MOST_BYTES >> 20} MiB; that is no configuration` };
  const other = { why: 'is no text in UTF-8; save it as such, or see whether it is the right file' };
  if (bytes.includes(0)) return other;
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return other;
  }
};

/** What the file holds; a section with nothing in it is as if it were left out. What cannot be read is a fault. Throws nothing. */
export const readConfigFile = (file: string): { readonly read: YamlText; readonly faults: readonly string[] } => {
  const unread = (why: string) => ({ read: NO_CONFIG, faults: [`${file}: ${why}`] });
  let bytes: Buffer;
  try {
    bytes = bytesOf(file);
  } catch (error) {
    return unread(whyUnread(error));
  }
  const found = textOf(bytes);
  if ('why' in found) return unread(found.why);
  const read = readYaml(found.text);
  if ('faults' in read)
    return { read: NO_CONFIG, faults: read.faults.map(({ line, reason }) => `${file}:${line}: ${reason}`) };
  const value = read.value ?? {};
  if (typeof value !== 'object' || Array.isArray(value))
    return unread('holds no settings; each is a line NAME: VALUE, as in straceback.example.yaml');
  const said = Object.entries(value).filter(([, each]) => each !== null);
  return { read: { ...read, value: Object.fromEntries(said) }, faults: [] };
};
