import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ambiguityOf } from '../../../playbooks/reading/pattern.ts';

it.each([
  ['^(\\w+\\s?)*$', 'nested', '(\\w+\\s?)*'],
  ['(a+)+$', 'nested', '(a+)+'],
  ['(?P<word>x+x+)+y', 'nested', '(?P<word>x+x+)+'],
  ['(.*,)*x', 'nested', '(.*,)*'],
  ['^(.*?,){11}P', 'nested', '(.*?,){11}'],
  ['^(([a-z])+.)+[A-Z]$', 'nested', '(([a-z])+.)+'],
  ['(a|a)*b', 'alternatives', '(a|a)*'],
  ['(\\w|\\d)+z', 'alternatives', '(\\w|\\d)+'],
  ['.*.*=.*', 'adjacent', '.*.*'],
  ['\\s*\\s*$', 'adjacent', '\\s*\\s*'],
  ['\\s+$', 'restarts', '\\s+'],
  ['[a-z]+ing', 'restarts', '[a-z]+'],
])('%s is %s', (pattern, kind, part) => {
  expect(ambiguityOf(pattern)).toEqual({ kind, part });
});

it.each([
  '^(\\d+)-(\\w+)$',
  '^(?:[^,]*,)*x',
  '^(\\w+\\s)*end',
  '(foo|bar)+',
  '^[A-Za-z]+://[^/]+/.*',
  '^(x++)+y',
  '(?>x+)+y',
  '^\\d{3}-\\d{4}$',
  '(?i)user=(\\w+)',
  '((',
  '',
])('%s has no part that can be told', (pattern) => {
  expect(ambiguityOf(pattern)).toBeNull();
});

it('answers whatever it is given', () => {
  const pieces = fc.constantFrom(
    '(',
    ')',
    '[',
    ']',
    '*',
    '+',
    '?',
    '{2,}',
    '|',
    '\\',
    '\\w',
    'a',
    '.',
    '(?:',
    '(?=',
    '^',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ maxLength: 80 }),
        fc.array(pieces, { maxLength: 30 }).map((each) => each.join('')),
      ),
      (text) => {
        const found = ambiguityOf(text);
        return found === null || text.includes(found.part);
      },
    ),
    { numRuns: 500 },
  );
});
