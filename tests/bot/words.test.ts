import fc from 'fast-check';
import { expect, test } from 'vitest';
import { distance, nearest, quoted, wordsOf } from '../../bot/words.ts';
import { anyText } from '../support/any-text.ts';

test.each([
  ['web-7 6325', ['web-7', '6325']],
  ['  web-7\t6325\u00a0hang ', ['web-7', '6325', 'hang']],
  ['<http://web-7.example.com|web-7.example.com> 6325', ['web-7.example.com', '6325']],
  ['<https://web-7/> 1', ['web-7', '1']],
  ['`web-7` *6325*', ['web-7', '6325']],
  ['“web-7” ‘6325’ „hang“', ['web-7', '6325', 'hang']],
  ['web\u20137 6325', ['web-7', '6325']],
  ['<@U0STRACE1|straceback> again', ['<@U0STRACE1>', 'again']],
  ['web-7; rm -rf &lt;x&gt; &amp;&amp; id', ['web-7;', 'rm', '-rf', '<x>', '&&', 'id']],
  ['', []],
])('the words of %j', (text, words) => {
  expect(wordsOf(text)).toEqual(words);
});

test('words never hold white space, are never empty, and any text has some or none', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), anyText()), (text) =>
      wordsOf(text).every((word) => word !== '' && !/\s/.test(word)),
    ),
  );
});

test.each([
  ['status', 'stauts', 1],
  ['help', 'help', 0],
  ['', 'abc', 3],
  ['triage', 'traige', 1],
  ['web-7', 'web-8', 1],
])('from %j to %j it is %i', (a, b, away) => {
  expect(distance(a, b)).toBe(away);
  expect(distance(b, a)).toBe(away);
});

test('near names come nearest first, far ones not at all', () => {
  expect(nearest('stauts', ['help', 'status', 'look'])).toEqual(['status']);
  expect(nearest('web-9', ['db-1', 'web-8', 'web-7'])).toEqual(['web-7', 'web-8']);
  expect(nearest('agian', ['again', 'help'])).toEqual(['again']);
  expect(nearest('kubernetes', ['again', 'help'])).toEqual([]);
  expect(nearest('', ['again'])).toEqual([]);
});

test('a quoted word cannot be markup, nor long, nor break its line', () => {
  expect(quoted('<!channel>')).toBe('“?!channel?”');
  expect(quoted('x'.repeat(500)).length).toBeLessThan(70);
  fc.assert(fc.property(anyText(), (word) => !/[<>&`\n]|\p{C}/u.test(quoted(word))));
});
