import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { problemOf } from '../../../workers/prose/gate.ts';
import { gather } from '../../../workers/questions/gather.ts';
import { sickReport } from '../../support/reports.ts';

/** Real output of tools, as it is kept of a look. */
const file = (probe: string, folder: string) => ({
  evidenceId: 'E5',
  probe,
  text: readFileSync(new URL(`../../fixtures/${probe}/${folder}/stdout`, import.meta.url), 'utf8'),
});
const FILES = [file('py-stacks', '3.14.8-locks'), file('sockets', '6.1-mixed'), file('lsof', '4.95-mixed')];
const TITLES = new Map([
  ['py-stacks', 'Python stacks of all threads, without stopping the process'],
  ['sockets', 'Sockets'],
  ['lsof', 'Open files'],
]);

/** What keeps a sentence about this evidence from being shown that cites the lines which have a text; null: nothing does. */
const problem = (question: string, text: string, having: readonly string[]): string | null => {
  const { view } = gather(question, [{ report: { ...sickReport, findings: [] }, files: FILES }], TITLES);
  const cited = having.map((each) => view.items.find((item) => item.kind === 'quote' && item.text.includes(each)));
  expect(cited, `shown for ${question}`).not.toContain(undefined);
  return problemOf({ text, rests_on: cited.flatMap((item) => (item === undefined ? [] : [item.id])) }, view);
};

const LOCKS = ['thread 24225 "', 'thread 24226 "'];

describe('of real evidence', () => {
  it.each([
    [
      'what does thread 24225 wait for?',
      'Thread 24225 `takes_first_then_second` waits for the `_thread.lock` at 0x7f688b70e190.',
      LOCKS,
    ],
    [
      'who holds the lock that 24225 waits for?',
      'Thread 24226 is inside `with _thread.lock at 0x7f688b70e190` and itself waits for 0x7f688b70e890.',
      LOCKS,
    ],
    ['where is thread 24225?', 'Thread 24225 waits at /srv/service/locks.py:29.', LOCKS.slice(0, 1)],
    ['线程 24225 在等什么?', '线程 24225 在 `takes_first_then_second` 里等待 0x7f688b70e190。', LOCKS.slice(0, 1)],
    ['on which port does it listen?', 'It listens on `127.0.0.1:49311`, with descriptor 3.', ['fd=3 LISTEN']],
    ['which locale files are open?', 'The file `/usr/lib/locale/C.utf8/LC_CTYPE` is mapped.', ['LC_CTYPE']],
  ])('the lines that answer “%s” are shown, and a true sentence passes', (question, text, having) => {
    expect(problem(question, text, having)).toBeNull();
  });

  it.each([
    ['what does thread 24225 wait for?', 'Thread 24225 waits for the `_thread.lock` at 0x7f688b70e191.', LOCKS],
    ['what does thread 24225 wait for?', 'Thread 24299 waits for the `_thread.lock` at 0x7f688b70e190.', LOCKS],
    ['what does thread 24225 wait for?', 'Threads 24225 and 24226 are in a deadlock.', LOCKS],
    ['what does thread 24225 wait for?', 'Thread 24225 is stuck for ever.', LOCKS],
    ['what does thread 24225 wait for?', 'Kill thread 24225, which waits.', LOCKS],
    ['what does thread 24225 wait for?', 'Call the owner of locks.py about the open file.', LOCKS],
    ['what does thread 24225 wait for?', 'Everything in the service is as it should be.', LOCKS],
    ['线程 24225 在等什么?', '线程 24225 已经死锁。', LOCKS],
    ['on which port does it listen?', 'It listens on `127.0.0.1:8080`.', ['fd=3 LISTEN']],
    ['which locale files are open?', 'It leaks file descriptors: `/usr/lib/locale/C.utf8/LC_CTYPE`.', ['LC_CTYPE']],
  ])('asked “%s”, this does not pass: %s', (question, text, having) => {
    expect(problem(question, text, having)).not.toBeNull();
  });
});
