import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bytes,
  clip,
  code,
  count,
  duration,
  kib,
  lineRange,
  list,
  percent,
  shellCommand,
  shellQuote,
  utc,
  visible,
} from '../../../playbooks/reading/text.ts';

describe('a command for a person to paste', () => {
  it('leaves harmless words alone', () => {
    expect(shellCommand(['kill', '-CONT', '4711'])).toBe('kill -CONT 4711');
  });

  it('is taken literally by a shell, whatever is in it', () => {
    const words = ["it's", '$(id)', '`id`', 'a b', '', '-x', '\n', '"', '\\', '*', '~', 'ü', ';', '#'];
    const out = execFileSync('/bin/sh', ['-c', `printf '%s\\0' ${words.map(shellQuote).join(' ')}`]).toString();
    expect(out.split('\0').slice(0, -1)).toEqual(words);
  });
});

describe('names from a host', () => {
  it('stay on their line and show what they are', () => {
    expect(visible('a\nb\tc\u202e')).toBe('a\\x0ab\\x09c\\u{202e}');
    expect(code('a`b\n')).toBe("`a'b\\x0a`");
  });

  it('never hold a control character or a line break, whatever they were', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !/[\p{Cc}\u2028\u2029]/u.test(visible(text))));
  });

  it('are cut between characters', () => {
    expect(clip('abcdef', 4)).toBe('abc…');
    expect(clip('😀😀😀', 2)).toBe('😀…');
    expect(clip('abc', 3)).toBe('abc');
  });
});

describe('numbers', () => {
  it.each([
    [0.353, '0.35 s'],
    [3, '3 s'],
    [12.4, '12 s'],
    [250, '4 min 10 s'],
    [3000, '50 min'],
    [10_920, '3 h 2 min'],
    [432_000, '5 days'],
    [Number.NaN, 'an unknown time'],
  ])('%s seconds is %s', (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });

  it('have the unit that suits them', () => {
    expect([kib(512), kib(1536), kib(1.5 * 1024 * 1024), bytes(1), bytes(4096)]).toEqual([
      '512 KiB',
      '1.5 MiB',
      '1.5 GiB',
      '1 byte',
      '4 KiB',
    ]);
    expect([percent(0.5), percent(0.999), percent(1), percent(Number.NaN)]).toEqual([
      '50 %',
      'over 99 %',
      '100 %',
      'an unknown share',
    ]);
    expect([count(1, 'thread'), count(3, 'thread'), count(2, 'child', 'children')]).toEqual([
      '1 thread',
      '3 threads',
      '2 children',
    ]);
    expect([list([]), list(['a']), list(['a', 'b', 'c']), list(['a', 'b'], 'or')]).toEqual([
      '',
      'a',
      'a, b and c',
      'a or b',
    ]);
    expect([lineRange([49]), lineRange([53, 49, 50]), lineRange([])]).toEqual(['49', '49-53', '']);
    expect(utc(1_700_000_000.5)).toBe('2023-11-14 22:13:20 UTC');
    expect(utc(Number.NaN)).toBe('an unknown time');
  });
});
