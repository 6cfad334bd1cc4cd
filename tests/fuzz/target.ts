import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { anyText } from '../support/any-text.ts';

/** One reader of what comes from outside, and what to read with it. */
export interface Target {
  /** `probe/sockets`, `alert/grafana`, `config/file`. */
  readonly name: string;
  readonly inputs: fc.Arbitrary<Uint8Array>;
  /** Throws when the reader does what it must not: throw, or answer what its schema forbids. */
  readonly run: (input: Uint8Array) => void | Promise<void>;
}

/** A reader of text. Its inputs are kept as UTF-16, so that unpaired surrogates survive. */
export const textTarget = (
  name: string,
  inputs: fc.Arbitrary<string>,
  run: (text: string) => void | Promise<void>,
): Target => ({
  name,
  inputs: inputs.map((text) => Buffer.from(text, 'utf16le')),
  run: (bytes) => run(Buffer.from(bytes).toString('utf16le')),
});

/** Texts that have made trouble somewhere before, and long ones of one kind. */
export const NASTY: fc.Arbitrary<string> = fc.oneof(
  anyText(200),
  fc.string({ maxLength: 200 }),
  fc.constantFrom(
    '',
    '\u0000',
    '\u202e',
    '\ud800',
    '<!channel>',
    '<@U1>',
    '```',
    '__proto__',
    'constructor',
    '../../etc/passwd',
    '%s%n',
    '-0',
    '1e999',
    '9'.repeat(400),
    '$(reboot)',
    '&lt;',
  ),
  fc
    .tuple(
      fc.constantFrom('a', 'ab', ' ', '\n', '(', '[', '{"a":', '&', '<', '`', '\\', '😀', 'a=', '"', ': ', '- '),
      fc.nat(20_000),
    )
    .map(([piece, length]) => piece.repeat(Math.ceil(length / piece.length))),
);

/** Words of a language with other things between them. */
export const sentences = (words: readonly string[]): fc.Arbitrary<string> =>
  fc
    .array(fc.oneof({ arbitrary: fc.constantFrom(...words), weight: 3 }, { arbitrary: NASTY, weight: 1 }), {
      maxLength: 12,
    })
    .map((parts) => parts.join(' '));

/** A text with a piece cut out, doubled or overwritten. */
export const damagedText = (samples: readonly string[]): fc.Arbitrary<string> =>
  fc
    .record({ sample: fc.constantFrom(...samples), from: fc.nat(1_000_000), length: fc.nat(400), put: NASTY })
    .map(({ sample, from, length, put }) => {
      const start = from % (sample.length + 1);
      return sample.slice(0, start) + put + sample.slice(start + length);
    });

const FOUND = path.join(import.meta.dirname, '../fixtures/fuzz');

/** Keeps an input that a reader failed on, so that every test run tries it again. Returns the file. */
export const keepInput = (target: string, input: Uint8Array): string => {
  const folder = path.join(FOUND, target);
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${createHash('sha256').update(input).digest('hex').slice(0, 12)}.bin`);
  writeFileSync(file, input);
  return file;
};

/** All inputs that a reader once failed on. */
export const keptInputs = (target: string): { name: string; input: Uint8Array }[] => {
  const folder = path.join(FOUND, target);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.bin'))
    .sort()
    .map((name) => ({ name, input: readFileSync(path.join(folder, name)) }));
};
