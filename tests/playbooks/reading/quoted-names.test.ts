import fc from 'fast-check';
import { expect, it } from 'vitest';
import { unquote } from '../../../playbooks/reading/quoted-names.ts';

it('undoes the escapes of quoted names, and leaves plain words alone', () => {
  expect(unquote('plain')).toBe('plain');
  expect(unquote(String.raw`"a \"b\"\\\n\x01\u2028\U0001f600"`)).toBe('a "b"\\\n\u0001\u2028\u{1f600}');
});

it('answers for anything that follows a backslash', () => {
  expect(unquote('"\\\u{1f600}\\x\\u12"')).toBe('\u{1f600}xu12');
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => typeof unquote(`"\\${text}"`) === 'string'));
});
