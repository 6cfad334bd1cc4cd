import { describe, expect, it } from 'vitest';
import { regexBacktracking } from '../../../playbooks/causes/regex-backtracking.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, untoldOn } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, verdictOn } from '../../support/record-look.ts';

const probes = await loadProbes();

const judged = (change: (text: string) => string, name = 'regex-backtracking/comment_filter') =>
  verdictOn(regexBacktracking, changedLook(loadLook(name), 'py-stacks', change), probes);

const CALLS = /^ {6}calls .*$/m;

describe('a match that does not come to an end', () => {
  it('is told with pattern, part, length of the text and line', () => {
    const finding = firingOn(regexBacktracking, 'regex-backtracking/comment_filter');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.95);
    expect(finding.title).toContain('`Comments.add` (`/srv/app/regex-backtracking/comment_filter.py:17`)');
    expect(finding.title).toContain('`^(\\w+\\s?)*$`');
    expect(finding.summary).toContain('`match` of the pattern `^(\\w+\\s?)*$` on a `str` of 52 characters');
    expect(finding.summary).toContain('`(\\w+\\s?)*` has a quantifier inside of a quantifier');
    expect(quoted(finding)).toContain('calls match of pattern "^(\\\\w+\\\\s?)*$" on str of 52');
    expect(finding.fixes[0]?.title).toContain('comment_filter.py:17');
    expect(finding.fixes[0]?.code).toContain('(?>(\\w+\\s?)*)');
    expect(finding.fixes[3]?.code).toMatch(/^python3 -c '/);
  });

  it('is told where the program calls the module’s function', () => {
    const finding = firingOn(regexBacktracking, 'regex-backtracking/invoice_import');
    expect(finding.title).toContain('`customer_of`');
    expect(finding.title).toContain('`^(.*?,){11}P`');
    // Atomic groups came with 3.11.
    expect(finding.fixes[0]?.code).not.toContain('(?>');
  });

  it('is told without the part when the pattern is too odd, and less surely', () => {
    const finding = firstFinding(
      judged((text) => text.replace(CALLS, '      calls match of pattern "abc(" on str of 52 in 60 of 60 looks')),
    );
    expect(finding.confidence).toBeCloseTo(0.88, 2);
    expect(finding.summary).toContain('Inferred: which part');
  });

  it('is inferred from the line when the operands were not read, and asks for C stacks', () => {
    const verdict = judged((text) => text.replace(/^ {6}calls .*\n/m, ''));
    expect(verdict).toMatchObject({ verdict: 'fires', wants: ['native-stacks'] });
    const finding = firstFinding(verdict);
    expect(finding.confidence).toBeCloseTo(0.55, 2);
    expect(quoted(finding)).toContain('if WORDS.match(text)');
  });

  it('is inferred from a frame of the module re', () => {
    const verdict = judged((text) => text.replace(/^ {6}calls .*\n/m, ''), 'regex-backtracking/invoice_import');
    expect(firstFinding(verdict).confidence).toBeCloseTo(0.75, 2);
  });
});

describe('a match that may come to an end', () => {
  it('has a long text', () => {
    const long = (length: number) => judged((text) => text.replace(/on str of 52 in/, `on str of ${length} in`));
    expect(firstFinding(long(600_000)).confidence).toBeCloseTo(0.75, 2);
    expect(firstFinding(long(90_000_000)).confidence).toBeLessThan(0.5);
    const plain = judged((text) =>
      text.replace(CALLS, '      calls findall of pattern [a-z]+ing on str of 90000000 in 60 of 60 looks'),
    );
    expect(plain).toMatchObject({ verdict: 'clear', why: expect.stringContaining('90,000,000 characters') });
  });

  it('begins anew at each of many places', () => {
    const spaces = (method: string, length: number) =>
      judged((text) =>
        text.replace(CALLS, () => `      calls ${method} of pattern "\\\\s+$" on str of ${length} in 60 of 60 looks`),
      );
    expect(firstFinding(spaces('sub', 40_000)).summary).toContain('the square of the length');
    expect(spaces('match', 900_000)).toMatchObject({ verdict: 'clear' });
    expect(spaces('sub', 90_000_000)).toMatchObject({ verdict: 'clear' });
  });

  it('is one of many when something of its frames moves', () => {
    const verdict = judged((text) =>
      text.replace(CALLS, '$&\n      number: int, 50 changes in 60 looks, 50 up, 0 down, 0 back, from 3 to 900'),
    );
    expect(verdict).toMatchObject({ verdict: 'clear' });
  });

  it('was not the call of every look', () => {
    expect(
      judged((text) =>
        text.replace(/in \d+ of (\d+) looks$/m, 'in 9 of $1 looks').replace('WORDS.match(text)', 'work(text)'),
      ),
    ).toMatchObject({
      verdict: 'clear',
    });
  });

  it.each(['healthy/log_scan', 'healthy/long_text', 'healthy/gzip_logs', 'healthy/idle_server'])('%s', (name) => {
    expect(clearOn(regexBacktracking, name)).not.toBe('');
  });
});

it('cannot tell without the stacks', () => {
  expect(untoldOn(regexBacktracking, 'regex-backtracking/comment_filter', ['py-stacks']).why).not.toBe('');
});

it('never throws', () =>
  expectNeverThrowsOn(regexBacktracking, ['regex-backtracking/comment_filter', 'healthy/log_scan']));
