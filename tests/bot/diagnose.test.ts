import { expect, onTestFinished, test } from 'vitest';
import { LookFailed } from '../../playbooks/model/index.ts';
import {
  botForTest,
  finishedThread,
  HOSTS,
  reportFor,
  shown,
  slackForTest,
  threadsIn,
  workerForTest,
} from '../support/bot.ts';
import { arrival, redisForTest } from '../support/queue.ts';
import { sickReport } from '../support/reports.ts';

const setUp = async () => {
  const slack = await slackForTest();
  const redis = await redisForTest();
  return { slack, redis };
};

test('a command opens a thread that ends with the report and its files', async () => {
  const { slack, redis } = await setUp();
  await botForTest(slack, redis.url);
  workerForTest(redis.url);
  const result = await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  expect(result.ack.acked).toBe(true);
  const [first, ...replies] = await finishedThread(slack, 'ops');
  expect(shown(first)).toContain('🔴 Main thread waits in its own SIGTERM handler');
  expect(shown(first)).toContain('sure (97 %)');
  const report = replies.find((message) => message.files === undefined);
  expect(shown(report)).toContain('[E4:12]   File "/srv/app/pool.py", line 88, in on_terminate');
  expect(shown(report)).toContain('def on_terminate(signum, frame):\n    stopping.set()');
  expect(slack.files().map((file) => file.name)).toEqual(['report.txt', 'report.json', 'E1-identify.txt']);
  const evidence = slack.files().find((file) => file.name === 'E1-identify.txt');
  expect(slack.fileBytes(evidence?.id ?? '')?.toString()).toBe('pid 6325\n');
  expect(result.responses).toEqual([]);
});

test('progress is shown in the first message, and never after the report', async () => {
  const { slack, redis } = await setUp();
  await botForTest(slack, redis.url);
  const goOn = arrival<void>();
  workerForTest(redis.url, async (request, { progress }) => {
    const at = (percent: number, doing: string) =>
      progress({ requestId: request.id, doing, probes: ['sample'], percent, seconds: 2 });
    at(20, 'Sampling threads');
    await goOn.promise;
    at(90, 'Late news');
    return { outcome: { kind: 'report', report: reportFor(request) }, files: [] };
  });
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  const moving = await slack.waitFor(() => threadsIn(slack, 'ops').find((first) => shown(first).includes('20 %')), {
    timeoutMs: 30_000,
  });
  expect(shown(moving)).toContain('Sampling threads (sample)');
  expect(shown(moving)).toContain('▰▰▱▱▱▱▱▱▱▱▱▱');
  const edits: string[] = [];
  onTestFinished(slack.on('update', ({ message }) => void edits.push(shown(message))));
  goOn.arrive();
  const [first] = await finishedThread(slack, 'ops');
  expect(shown(first)).toContain('🔴');
  const final = edits.findIndex((text) => text.includes('🔴'));
  expect(edits.slice(final + 1).filter((text) => text.includes('Late news'))).toEqual([]);
});

test('a look that fails is one sentence, in the first message and in the thread', async () => {
  const { slack, redis } = await setUp();
  await botForTest(slack, redis.url);
  workerForTest(redis.url, async () => {
    throw new LookFailed('no-such-process', 'There is no process 1 on web-7: <!channel> it has ended.');
  });
  await slack.user('bob').slash('/diagnose', 'web-7 1', 'ops');
  const reply = await slack.waitFor(
    () => slack.messages('ops').find((message) => message.thread_ts !== undefined && message.thread_ts !== message.ts),
    { timeoutMs: 30_000 },
  );
  expect(shown(reply)).toContain('There is no process 1 on web-7: <!channel> it has ended.');
  expect(reply.text).toContain('&lt;!channel&gt;');
  const title = '⚪ Could not look at process 1 on web-7';
  await slack.waitFor(() => threadsIn(slack, 'ops').some((first) => shown(first).includes(title)), {
    timeoutMs: 30_000,
  });
});

test('nonsense is answered privately with one sentence, and starts nothing', async () => {
  const { slack, redis } = await setUp();
  const { queue } = await botForTest(slack, redis.url);
  const asked = [
    'HELP',
    'help',
    'stauts',
    'wbe-7 6325',
    'web-7 $(reboot)',
    'web-7 6325 traige',
    '`web-7`; rm -rf / 6325',
  ];
  const answers: string[] = [];
  for (const text of asked) {
    const { responses } = await slack.user('bob').slash('/diagnose', text, 'ops');
    expect(responses.map((message) => message.ephemeral_to)).toEqual([slack.user('bob').id]);
    answers.push(responses[0]?.text ?? '');
  }
  expect(answers[0]).toBe(answers[1]);
  expect(answers[1]).toContain('`/diagnose HOST PID|SELECTOR [playbook] [seconds]`');
  expect(answers[1]).toContain('• `strace`: System calls');
  expect(answers[2]).toContain('Did you mean `/diagnose status`?');
  expect(answers[3]).toContain('Did you mean `web-7`');
  expect(answers[4]).toContain('“$(reboot)” names no process');
  expect(answers[5]).toContain('Did you mean `triage`?');
  expect(answers[6]).toContain('is not a host name');
  expect(await queue.status()).toEqual({ workers: 0, waiting: 0, active: [] });
  expect(threadsIn(slack, 'ops')).toEqual([]);
});

test('status says what runs, and that there is no worker', async () => {
  const { slack, redis } = await setUp();
  await botForTest(slack, redis.url);
  const bob = slack.user('bob');
  await bob.slash('/diagnose', 'web-7 6325', 'ops');
  const waiting = await slack.waitFor(() => threadsIn(slack, 'ops')[0], { timeoutMs: 30_000 });
  expect(shown(waiting)).toContain('No worker is running now');
  await expect
    .poll(async () => (await bob.slash('/diagnose', 'status', 'ops')).responses[0]?.text)
    .toContain('0 workers, 0 looks running, 1 waiting.');
  const [started, goOn] = [arrival<void>(), arrival<void>()];
  workerForTest(redis.url, async (request) => {
    started.arrive();
    await goOn.promise;
    return { outcome: { kind: 'report', report: reportFor(request) }, files: [] };
  });
  await started.promise;
  const { responses } = await bob.slash('/diagnose', 'status', 'ops');
  expect(responses[0]?.text).toContain(
    '1 worker, 1 look running, 0 waiting.\n• process 6325 on `web-7` (`triage`): starting',
  );
  goOn.arrive();
  await finishedThread(slack, 'ops');
});

test.each([
  ['lounge', 'I am not in this channel. Invite me with `/invite`'],
  ['old', 'This channel is archived'],
])('in #%s the asker is told privately why there is no thread', async (channel, sentence) => {
  const { slack, redis } = await setUp();
  await botForTest(slack, redis.url);
  const { responses } = await slack.user('bob').slash('/diagnose', 'web-7 6325', channel);
  await slack.waitFor(() => responses.length > 0, { timeoutMs: 30_000 });
  expect(responses[0]?.text).toContain(sentence);
  expect(responses[0]?.ephemeral_to).toBe(slack.user('bob').id);
});

test.each([
  ['carol', 'ops', 'I take no requests from guests'],
  ['dana', 'shared', 'I only take requests from members of this workspace'],
])('%s may not ask', async (who, channel, sentence) => {
  const { slack, redis } = await setUp();
  const { queue } = await botForTest(slack, redis.url);
  for (const text of ['web-7 6325', 'status']) {
    const { responses } = await slack.user(who).slash('/diagnose', text, channel);
    await slack.waitFor(() => responses.length > 0, { timeoutMs: 30_000 });
    expect(responses[0]?.text).toContain(sentence);
  }
  expect(await queue.status()).toEqual({ workers: 0, waiting: 0, active: [] });
  expect(threadsIn(slack, channel)).toEqual([]);
});

test('a report of any size is posted, and what was cut is in the files', async () => {
  const { slack, redis } = await setUp();
  await botForTest(slack, redis.url);
  const caveats = Array.from({ length: 3_000 }, (_, index) => `Caveat ${index}: ${'x'.repeat(60)}`);
  workerForTest(redis.url, async (request) => ({
    outcome: { kind: 'report', report: { ...reportFor(request), caveats } },
    files: Array.from({ length: 25 }, (_, index) => ({
      name: `E${index + 1}-probe.txt`,
      evidenceId: `E${index + 1}`,
      content: Buffer.alloc(index === 3 ? 0 : 1_000, 'x'),
      truncated: index === 5,
    })),
  }));
  await slack.user('bob').slash('/diagnose', 'web-7 6325', 'ops');
  const withFiles = () => slack.messages('ops').filter((message) => (message.files?.length ?? 0) > 0);
  await slack.waitFor(() => withFiles().length === 1, { timeoutMs: 60_000, what: 'the message with files' });
  const text = slack.files().find((file) => file.name === 'report.txt');
  expect(slack.fileBytes(text?.id ?? '')?.toString()).toContain('Caveat 2999');
  // What findings quote has a file of its own, all the rest is in one.
  const names = slack.files().map((file) => file.name);
  const quoted = new Set(sickReport.findings.flatMap((each) => each.evidence.map((quote) => quote.evidenceId)));
  // An empty one is only named.
  quoted.delete('E4');
  expect(names).toEqual([
    'report.txt',
    'report.json',
    ...[...quoted].sort().map((id) => `${id}-probe.txt`),
    'other-evidence.txt',
  ]);
  const rest = slack.fileBytes(slack.files().at(-1)?.id ?? '')?.toString() ?? '';
  expect(rest).toContain('===== E6-probe.txt (cut) =====\nxxxx');
  expect(rest.match(/^===== /gm)).toHaveLength(24 - quoted.size);
  const comment = slack.messages('ops').find((message) => (message.files?.length ?? 0) > 0);
  expect(comment?.text).toContain('E4-probe.txt is empty');
  expect(slack.messages('ops').map(shown).join('\n')).toContain('Shortened here. The whole is in report.txt');
});

test('hosts that only a rule knows can be asked for', async () => {
  const { slack, redis } = await setUp();
  await botForTest(slack, redis.url, { hosts: HOSTS });
  workerForTest(redis.url);
  await slack.user('bob').slash('/diagnose', '<http://cache-12|cache-12> 77 strace 5', 'ops');
  const [first] = await finishedThread(slack, 'ops');
  expect(shown(first)).toContain('Process 77 on cache-12');
  expect(shown(first)).toContain('Playbook strace, window 5 s');
});
