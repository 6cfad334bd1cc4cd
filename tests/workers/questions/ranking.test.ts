import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chunksOf } from '../../../workers/questions/chunks.ts';
import { ranked, scores } from '../../../workers/questions/ranking.ts';
import { queryOf, termsOf } from '../../../workers/questions/terms.ts';
import { anyText } from '../../support/any-text.ts';

const best = (question: string, documents: readonly string[]): string | undefined =>
  ranked(queryOf(question), documents, termsOf)[0];

describe('evidence is ranked', () => {
  it('by what is asked for, a rare word before common ones', () => {
    const documents = [
      'Thread 24 waiting in take',
      'Thread 25 waiting in take',
      'Thread 26 running in work',
      'ESTAB tcp 10.0.0.1:5432 users:(("postgres",pid=1))',
      '7uW REG /run/pool.lock',
    ];
    expect(best('why is thread 25 stuck?', documents)).toContain('Thread 25');
    expect(best('what holds the lock?', documents)).toContain('pool.lock');
    expect(best('is it connected to the database?', documents)).toContain('postgres');
    expect(best('线程 26 在做什么?', documents)).toContain('Thread 26');
    expect(best('how is the weather?', documents)).toBeUndefined();
  });

  it('with the parts of names, and without endings', () => {
    expect(termsOf('acquireLock on_terminate waiting')).toEqual(
      expect.arrayContaining(['acquirelock', 'acquire', 'lock', 'on_terminate', 'terminate', 'wait']),
    );
    expect(termsOf('waits waited waiting wait')).toEqual(['wait', 'wait', 'wait', 'wait']);
  });

  it('as BM25 has it: more of a term is better, less and less so, and in a long text worse', () => {
    const of = (...documents: string[]) => scores(['lock'], documents.map(termsOf));
    const [one = 0, two = 0, three = 0, none] = of(
      'lock a1 a2 a3',
      'lock lock a1 a2',
      'lock lock lock a1',
      'b1 b2 b3 b4',
    );
    expect(none).toBe(0);
    expect(one).toBeGreaterThan(0);
    expect(two - one).toBeGreaterThan(three - two);
    expect(three).toBeGreaterThan(two);
    const [short = 0, long = 0] = of('lock a1', `lock ${'a1 '.repeat(50)}`);
    expect(short).toBeGreaterThan(long);
  });

  it('for any query and any documents with numbers that are not negative', () => {
    const words = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 12 });
    fc.assert(
      fc.property(words, fc.array(words, { maxLength: 8 }), (query, documents) => {
        for (const [index, score] of scores(query, documents).entries()) {
          expect(Number.isFinite(score)).toBe(true);
          expect(score > 0).toBe(documents[index]?.some((term) => query.includes(term)));
        }
      }),
    );
  });
});

describe('evidence is cut', () => {
  it('into pieces whose lines are literal, in their order, and bounded', () => {
    fc.assert(
      fc.property(fc.array(anyText(), { maxLength: 40 }), (parts) => {
        const text = parts.join('\n');
        const lines = text.split('\n');
        let from = 0;
        for (const chunk of chunksOf({ evidenceId: 'E1', probe: 'sample', text }, 0)) {
          expect(chunk.lines.length).toBeLessThanOrEqual(10);
          expect(chunk.lines.join('\n').length).toBeLessThan(1_200);
          for (const line of chunk.lines) {
            const at = lines.findIndex((whole, index) => index >= from && whole.startsWith(line));
            expect(at).toBeGreaterThanOrEqual(from);
            from = at + 1;
          }
        }
      }),
    );
  });

  it('where a block begins', () => {
    const text = 'Thread 1\n  frame a\n  frame b\nThread 2\n  frame c\n\nThread 3\n';
    expect(chunksOf({ evidenceId: 'E1', probe: 'py-stacks', text }, 0).map(({ lines }) => lines[0])).toEqual([
      'Thread 1',
      'Thread 2',
      'Thread 3',
    ]);
  });
});
