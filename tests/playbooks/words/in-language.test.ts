import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { translatedBy } from '../../../playbooks/words/in-language.ts';
import { bookOf, inLanguage, translated } from '../../../playbooks/words/index.ts';
import { sentencesOf } from '../../../playbooks/words/sentences.ts';

const zh = (text: string, pairs: Record<string, string>): string =>
  translatedBy([bookOf(Object.entries(pairs).map(([en, each]) => ({ en, zh: each })))], text).text;

describe('a text in another language', () => {
  it('is the same text in English', () => {
    expect(inLanguage('Starting.', 'en')).toBe('Starting.');
  });

  it('is translated sentence by sentence, and what has no translation stays', () => {
    const pairs = { 'It waits for {what}.': '它在等{what}。', 'Nobody answers.': '无人应答。' };
    expect(zh('It waits for `db`. Nobody answers.', pairs)).toBe('它在等 `db`。无人应答。');
    expect(zh('It waits for `db`. A new sentence of ours. Nobody answers.', pairs)).toBe(
      '它在等 `db`。 A new sentence of ours. 无人应答。',
    );
    expect(zh('Nobody answers.\n\nNobody answers.', pairs)).toBe('无人应答。\n\n无人应答。');
  });

  it('has what fills it in another order where the language wants that', () => {
    expect(
      zh('{a} holds {b}'.replace('{a}', 'Thread 3').replace('{b}', '`lock`'), { '{a} holds {b}': '{b} 由 {a} 持有' }),
    ).toBe('`lock` 由 Thread 3 持有');
  });

  it('knows a sentence with and without its capital and its full stop', () => {
    const pairs = { 'it is no Python process': '它不是 Python 进程' };
    expect(zh('It is no Python process.', pairs)).toBe('它不是 Python 进程。');
    expect(zh('it is no Python process', pairs)).toBe('它不是 Python 进程');
  });

  it('has phrases in it translated, and those of a list each', () => {
    const pairs = {
      'Held by {who}.': '由{who}持有。',
      'the main thread': '主线程',
      'thread {number}': '线程 {number}',
    };
    expect(zh('Held by the main thread.', pairs)).toBe('由主线程持有。');
    expect(zh('Held by the main thread, thread 4 and thread 5.', pairs)).toBe('由主线程、线程 4 和线程 5 持有。');
  });

  it('leaves what stands in code as it is, even where it says what we say', () => {
    const pairs = { 'It runs `{name}`.': '它在运行 `{name}`。', 'the main thread': '主线程', 'It ends.': '它结束。' };
    expect(zh('It runs `the main thread`.', pairs)).toBe('它在运行 `the main thread`。');
    expect(zh('It runs `x. It ends. y`.', pairs)).toBe('它在运行 `x. It ends. y`。');
  });

  it('takes nothing but a number for a number', () => {
    const pairs = { '{number} threads': '{number} 个线程' };
    expect(zh('1,299 threads', pairs)).toBe('1,299 个线程');
    expect(zh('all its threads', pairs)).toBe('all its threads');
  });

  it('says what has no translation', () => {
    expect(translated('This sentence is in no file.', 'zh').unknown).toEqual(['This sentence is in no file.']);
    expect(translated('Starting.', 'zh').unknown).toEqual([]);
  });
});

/** Text that a process may call itself or write: braces, quotes, backticks, line ends, patterns of ours. */
const hostile = fc.string({
  unit: fc.oneof(
    fc.constantFrom(
      '{',
      '}',
      '`',
      '"',
      '“',
      '(',
      ')',
      '. ',
      '; ',
      ', ',
      ' and ',
      '\n',
      '{number}',
      ' in ',
      ' waits ',
      '\\',
      '$&',
      '%s',
    ),
    fc.string({ minLength: 1, maxLength: 3 }),
  ),
  minLength: 1,
  maxLength: 40,
});
const code = (text: string): string => `\`${text.replace(/[`\n]/g, "'")}\``;

describe('whatever a host says', () => {
  it('what ends in dots of its own keeps them', () => {
    const said = inLanguage(
      'All that it moved were 3 writes of the same text to `log`, about 5 a second: "no"....',
      'zh',
      'busy-loop',
    );
    expect(said.endsWith('："no"...。')).toBe(true);
  });

  it('a name in code comes out as it went in', () => {
    fc.assert(
      fc.property(hostile, (name) => {
        const said = inLanguage(`Remove files from ${code(name)}: its inodes are used up`, 'zh', 'disk-full');
        expect(said).toBe(`删除 ${code(name)} 上的文件：它的 inode 已用尽`);
      }),
    );
  });

  it('no character of a text without a translation is lost', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        expect(
          sentencesOf(text)
            .map((each) => each.text + each.space)
            .join(''),
        ).toBe(text);
      }),
    );
  });

  it('never throws, and keeps every name that stands in code', () => {
    fc.assert(
      fc.property(hostile, hostile, (name, rest) => {
        const said = inLanguage(`The main thread waits in ${code(name)}. ${rest}`, 'zh', 'busy-loop');
        expect(said).toContain(code(name));
      }),
    );
  });

  it('a long text costs time by its length alone', () => {
    const long = [
      'a and '.repeat(5_000),
      '('.repeat(100_000),
      '`'.repeat(100_001),
      '"'.repeat(100_001),
      `${'in `x` (`y`) '.repeat(2_000)}.`,
      `The process ${'waits for another thread, or for a signal in '.repeat(400)}.`,
      `Inferred: ${'; and that '.repeat(500)}.`,
    ];
    for (const text of long) expect(inLanguage(text, 'zh', 'healthy').length).toBeGreaterThan(0);
  }, 120_000);
});
