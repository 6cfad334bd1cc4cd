import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { sentDialect } from '../../../workers/ssh/dialect.ts';
import { writeLines } from '../../../workers/ssh/lines.ts';
import type { RemoteStep } from '../../../workers/ssh/shell.ts';

const step = (content: string): RemoteStep => ({
  id: 'any',
  argv: ['sh', '{script:look.sh}', 'two words'],
  scripts: [{ name: 'look.sh', content }],
  seconds: 1,
  bytes: 1_000,
  endWith: 'TERM',
  ptraces: false,
  target: null,
});

test('looks share the bytes of a script that they carry, and only of the same one at the same place', () => {
  const [one, other] = [sentDialect(), sentDialect()];
  const first = one.lines(1, step("echo 'it is here'"), 1);
  expect(first?.[0]).toBeInstanceOf(Uint8Array);
  expect(other.lines(1, step("echo 'it is here'"), 1)?.[0]).toBe(first?.[0]);
  expect(Buffer.from(first?.[0] ?? '').toString()).toBe(`sb_put scripts0/look.sh 'echo '\\''it is here'\\'''\n`);
  // It is there already; another text of its name gets a place of its own.
  expect(one.lines(2, step("echo 'it is here'"), 1)).toHaveLength(1);
  expect(Buffer.from(one.lines(3, step('echo'), 1)?.[0] ?? '').toString()).toBe(`sb_put scripts1/look.sh 'echo'\n`);
  expect(Buffer.from(other.lines(2, step('echo é'), 1)?.[0] ?? '').toString()).toContain("'echo é'");
});

test('what is written piece by piece arrives as it was put together', () => {
  const stream = new PassThrough();
  writeLines(stream, ['sb_end 1\n', Buffer.from('sb_put é\n'), '', 'sb_run\n']);
  expect(stream.read()?.toString()).toBe('sb_end 1\nsb_put é\nsb_run\n');
});
