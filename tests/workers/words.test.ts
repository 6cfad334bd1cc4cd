import { expect, test } from 'vitest';
import { inLanguage } from '../../playbooks/words/index.ts';
import { failureOf } from '../../workers/words.ts';
import { requestForTest } from '../support/queue.ts';
import { evidenceFrom } from '../support/run-probe.ts';

test('an answer that found no room on the host is told as that, and not as one that makes no sense', () => {
  const request = requestForTest({ host: 'web-7', pid: 6325 });
  const unseen = { seen: false, reason: 'not-parsable', why: 'the description of the process is incomplete' } as const;
  const whole = evidenceFrom('identify', 'pid 6325\n');
  expect(failureOf(request, unseen, whole).message).toContain('the description of the process is incomplete');
  const { message } = failureOf(request, unseen, { ...whole, dropped: 900 });
  expect(message).toBe(
    'I could not read process 6325 on web-7: there is no room for its answer in the memory disk of web-7. ' +
      'Make room in /dev/shm or /tmp there and ask again.',
  );
  expect(inLanguage(message, 'zh')).not.toMatch(/room|again/);
});
