import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { quoteLine, quoteWord } from '../../../workers/ssh/quote.ts';

/** What a real shell makes of a line, as the words that a program gets. */
const wordsOf = (line: string): string[] =>
  execFileSync('sh', ['-s'], { input: `printf '%s\\0' ${line}\n`, encoding: 'utf8' })
    .split('\0')
    .slice(0, -1);

const word = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom("'", '"', '\\', '$', '`', '\n', '\r', ' ', '*', '!', ';', '#', '-', '\u0081', '\u0088'),
  }),
);

describe('quoting', () => {
  test('a shell gives back every word as it was', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(word, { minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 5 }),
        (lines) => {
          for (const line of lines) {
            const sendable = line.map((text) => Buffer.from(text.replaceAll('\0', '')).toString());
            expect(wordsOf(quoteLine(sendable))).toEqual(sendable);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  test('a NUL, which no argv can hold, is refused', () => {
    expect(() => quoteWord('a\0b')).toThrow(TypeError);
  });
});
