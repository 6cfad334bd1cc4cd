import { spawnSync } from 'node:child_process';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pyStacks } from '../../../playbooks/probes/py-stacks.ts';
import { parsePyStacks } from '../../../playbooks/reading/py-stacks.ts';
import { fixtureNames, loadFixture } from '../../support/fixture.ts';
import { expectNeverThrows } from '../../support/parser-safety.ts';
import { evidenceFrom } from '../../support/run-probe.ts';

const REPORT = path.join(import.meta.dirname, '../../../playbooks/probes/py_read_report.py');

/** Prints each pair of names as the frame line of a stack that the report would have. */
const PRINTER = `
import json, sys
names = {}
exec(open(sys.argv[1]).read(), names)
out = sys.stdout.buffer
for number, (function, file) in enumerate(json.load(sys.stdin)):
    out.write(('    %s  %s:%d  (def at 1)\\n' % (names['token'](function), names['token'](file), number)).encode())
`;

const HEADER = 'python 3.11.2 samples 1 seconds 0.00 interpreters-not-read 0';
const THREAD = 'thread 7 "MainThread" samples 1 gil 0 unread 0 other-stacks 0';

const read = (lines: readonly string[]) => parsePyStacks(evidenceFrom('py-stacks', `${lines.join('\n')}\n`));

describe('names', () => {
  it('come back as they were, whatever is in them', () => {
    const name = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 30 }),
      fc.string({
        unit: fc.constantFrom(...'a \\"\n\t\r:.()[]\u0000\u001b\u0085\u2028\u202e\u{1f600}é'),
        maxLength: 12,
      }),
      fc.string({
        unit: fc.integer({ min: 0xd800, max: 0xdfff }).map((unit) => String.fromCharCode(unit)),
        maxLength: 3,
      }),
      fc.constantFrom('<listcomp>', '/srv/a b/c.py:7', 'x:1  (def at 2)', '"quoted"', '', '...', '    ', 'end', '\\n'),
    );
    const pairs = fc.sample(fc.tuple(name, name), { numRuns: 1500, seed: 7 });
    const { stdout, stderr } = spawnSync('/usr/bin/python3', ['-c', PRINTER, REPORT], {
      input: JSON.stringify(pairs),
      maxBuffer: 1 << 26,
    });
    expect(String(stderr)).toBe('');
    const parsed = parsePyStacks(
      evidenceFrom('py-stacks', Buffer.concat([Buffer.from(`${HEADER}\n${THREAD}\n  stack 1 of 1\n`), stdout])),
    );
    const frames = parsed.ok ? parsed.data.threads[0]?.stacks[0]?.frames : undefined;
    expect(frames?.map((frame) => [frame.function, frame.file])).toEqual(pairs);
    expect(frames?.map((frame) => frame.line)).toEqual(pairs.map((_, index) => index));
  });
});

describe('what was printed', () => {
  it('is quoted by its lines', () => {
    const parsed = read([
      HEADER,
      THREAD,
      '  waits for _thread.RLock at 0x7f owner 9',
      '  stack 1 of 1',
      '    f  a.py:3  (def at 1)',
      'end',
    ]);
    expect(parsed).toMatchObject({
      ok: true,
      partly: [],
      data: { threads: [{ at: 2, waitsFor: { ownerTid: 9, at: 3 }, stacks: [{ frames: [{ at: 5, line: 3 }] }] }] },
    });
  });

  it('says what is missing: notes, a cut end, threads that could not be read, lines that mean nothing', () => {
    const unread = 'thread ? "" samples 4 gil 0 unread 4 other-stacks 0';
    expect(read([HEADER, 'note "half of it\\n"', unread, 'strange', '    g  b.py:1  (def at 1)', 'cut'])).toMatchObject(
      {
        ok: true,
        partly: [
          'half of it\n',
          '2 lines of the stacks could not be understood.',
          expect.stringContaining('cut'),
          expect.stringContaining('1 threads'),
        ],
        data: { threads: [{ tid: null, stacks: [] }] },
      },
    );
  });

  it('is a reason where there is nothing to read', () => {
    const why = (
      stdout: string,
      end: 'exited' | 'timed-out' | 'target-gone' | 'connection-lost' = 'exited',
      exit = 0,
    ) => {
      const parsed = parsePyStacks(
        evidenceFrom('py-stacks', stdout, { end, exit, stderr: Buffer.from('no such thing\n') }),
      );
      return parsed.ok ? null : [parsed.reason, parsed.why];
    };
    expect(why('unreadable no-permission Not for you.\n')).toEqual(['no-permission', 'Not for you.']);
    expect(why('unreadable nonsense Because.\n')?.[0]).toBe('failed');
    expect(why('', 'timed-out')?.[0]).toBe('timed-out');
    expect(why('', 'target-gone')?.[0]).toBe('target-gone');
    expect(why('', 'connection-lost')?.[0]).toBe('connection-lost');
    expect(why('', 'exited', 127)).toEqual(['missing-tool', expect.stringContaining('no such thing')]);
    expect(why('Traceback\n', 'exited', 1)?.[0]).toBe('failed');
  });

  it('never makes the parser throw', () => {
    expectNeverThrows(
      pyStacks,
      fixtureNames('py-stacks').map((name) => Buffer.from(loadFixture('py-stacks', name).evidence.stdout)),
    );
  });
});
