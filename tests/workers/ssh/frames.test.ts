import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createFrameReader, type FrameLimits, type HostWord, plainText } from '../../../workers/ssh/frames.ts';

const NONCE = '0123456789abcdef0123456789abcdef';
const LIMITS: FrameLimits = { garbage: 10_000, of: () => ({ stdout: 5_000, stderr: 5_000 }) };

interface Sent {
  readonly step: number;
  readonly how: 'exited' | 'target-gone';
  readonly exit: number;
  readonly milliseconds: number;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly stdoutRest: number;
  readonly stderrRest: number;
}

const encode = (sent: Sent): Buffer => {
  const numbers = [sent.milliseconds, sent.stdout.length, sent.stdoutRest, sent.stderr.length, sent.stderrRest];
  const header = `\n${NONCE} step ${sent.step} ${sent.how} ${sent.exit} ${numbers.join(' ')}\n`;
  return Buffer.concat([Buffer.from(header), sent.stdout, sent.stderr]);
};

const expected = (sent: Sent) => ({
  kind: 'frame',
  frame: {
    step: sent.step,
    how: sent.how,
    exit: sent.exit,
    milliseconds: sent.milliseconds,
    stdout: Buffer.from(sent.stdout).toString('hex'),
    stderr: Buffer.from(sent.stderr).toString('hex'),
    dropped: sent.stdoutRest + sent.stderrRest,
  },
});

const readable = (word: HostWord) =>
  word.kind === 'frame'
    ? {
        kind: 'frame',
        frame: {
          ...word.frame,
          stdout: Buffer.from(word.frame.stdout).toString('hex'),
          stderr: Buffer.from(word.frame.stderr).toString('hex'),
        },
      }
    : word;

/** `bytes` cut at the places that `cuts` says, which may lie anywhere. */
const cut = (bytes: Buffer, cuts: readonly number[]): Buffer[] => {
  const places = [...new Set([0, ...cuts.map((place) => place % (bytes.length + 1)), bytes.length])].sort(
    (a, b) => a - b,
  );
  return places.slice(1).map((place, index) => bytes.subarray(places[index] ?? 0, place));
};

const readAll = (chunks: readonly Uint8Array[], limits = LIMITS) => {
  const reader = createFrameReader(NONCE, limits);
  return chunks.flatMap((chunk) => reader.push(chunk));
};

/** Bytes that may well look like our own header lines. */
const body = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.constantFrom(`\n${NONCE} step 9 exited 0 0 0 0 0 0\n`, `${NONCE} `, '\n\n').map((text) => Buffer.from(text)),
);

const frame: fc.Arbitrary<Sent> = fc.record({
  step: fc.integer({ min: 1, max: 999_999_999 }),
  how: fc.constantFrom('exited', 'target-gone'),
  exit: fc.integer({ min: 0, max: 255 }),
  milliseconds: fc.integer({ min: 0, max: 1_000_000 }),
  stdout: body,
  stderr: body,
  stdoutRest: fc.integer({ min: 0, max: 2 ** 40 }),
  stderrRest: fc.integer({ min: 0, max: 2 ** 40 }),
});

const noise = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes));
const cuts = fc.array(fc.nat(), { maxLength: 30 });

describe('frames', () => {
  test('the same frames come out however the bytes are cut, with a chatty start before and noise between', () => {
    fc.assert(
      fc.property(noise, fc.array(fc.tuple(frame, noise), { maxLength: 8 }), cuts, (before, frames, places) => {
        const ready = Buffer.from(`\n${NONCE} ready 1 0 /dev/shm/straceback.x\n`);
        const bytes = Buffer.concat([before, ready, ...frames.flatMap(([sent, after]) => [encode(sent), after])]);
        const words = readAll(cut(bytes, places)).map(readable);
        const first = { kind: 'ready', uid: 0, folder: '/dev/shm/straceback.x', installed: null, first: null };
        expect(words).toEqual([first, ...frames.map(([sent]) => expected(sent))]);
      }),
    );
  });

  test('any bytes at all end without throwing, and nothing follows the word that they are garbage', () => {
    const ours = fc.constantFrom(`${NONCE} `, `\n${NONCE} step `, `\n${NONCE} ready 1 `, '\n', ' 99999999999999 ');
    const piece = fc.oneof(
      noise,
      ours.map((text) => Buffer.from(text)),
      fc.integer().map((n) => Buffer.from(`${n} `)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), cuts, (pieces, places) => {
        const words = readAll(cut(Buffer.concat(pieces), places));
        const garbage = words.findIndex((word) => word.kind === 'garbage');
        expect(garbage === -1 || garbage === words.length - 1).toBe(true);
      }),
    );
  });

  test('endless noise is given up, with or without newlines, and no more of it is kept than a line', () => {
    for (const chunk of ['y\n', '\n', 'no newline at all', '\r']) {
      const reader = createFrameReader(NONCE, LIMITS);
      const bytes = Buffer.from(chunk.repeat(1_000));
      const words: HostWord[] = [];
      for (let sent = 0; sent < 20 && words.length === 0; sent += 1) words.push(...reader.push(bytes));
      expect(words).toMatchObject([{ kind: 'garbage' }]);
      expect(reader.heard().length).toBeLessThanOrEqual(301);
    }
  });

  test.each([
    ['a step that was never asked for', 'step 7 exited 0 0 0 0 0 0'],
    ['more than was asked for', 'step 1 exited 0 0 5001 0 0 0'],
    ['a size that no memory has', 'step 1 exited 0 0 999999999999 0 0 0'],
    ['a negative size', 'step 1 exited 0 0 -1 0 0 0'],
    ['a word that does not exist', 'stop 1'],
    ['a folder that is none', 'ready 1 0 relative'],
    ['another version', 'ready 2 0 /dev/shm/x'],
  ])('a header with %s is garbage', (_, header) => {
    const limits: FrameLimits = {
      ...LIMITS,
      of: (step) => (step === 1 ? { stdout: 5_000, stderr: 5_000 } : undefined),
    };
    expect(readAll([Buffer.from(`${NONCE} ${header}\n`)], limits)).toMatchObject([{ kind: 'garbage' }]);
  });

  test('what the host said instead is kept for the sentence, as plain text', () => {
    const reader = createFrameReader(NONCE, LIMITS);
    reader.push(Buffer.from('\u001b[31mThis account\u0007 is\n\n currently not'));
    reader.push(Buffer.from(' available.'));
    expect(reader.heard()).toBe('[31mThis account is currently not available.');
  });

  test('a refusal comes with its reason', () => {
    expect(readAll([Buffer.from(`\n${NONCE} refused missing timeout -k\n`)])).toEqual([
      { kind: 'refused', reason: 'missing timeout -k' },
    ]);
  });

  test('plain text has one line, no control characters and an end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const text = plainText(bytes, 50);
        expect(text).not.toMatch(/[\p{Cc}\n]/u);
        expect(text.length).toBeLessThanOrEqual(51);
      }),
    );
  });
});
