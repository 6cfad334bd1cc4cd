import { describe, expect, it } from 'vitest';
import { isThreadCommand } from '../../bot/mention.ts';
import { isQuestion } from '../../bot/questions/understood.ts';
import { loadFollowUps } from '../../bot/registry.ts';
import { wordsOf } from '../../bot/words.ts';

const followUps = await loadFollowUps();
const me = { teamId: 'T1', userId: 'UBOT', botId: 'B1', url: '' };

const QUESTIONS = [
  'why is thread 25 stuck?',
  'is it safe to restart?',
  'what holds the lock?',
  'what holds the lock',
  'Why does it wait for /run/pool.lock?',
  'thread 25 is stuck, why?',
  'fix this how?',
  'help me understand the lock, please?',
  'tell me which thread holds the lock',
  '线程25为什么卡住了',
  '可以重启吗?',
  'warum hängt Thread 25?',
  'safe?',
];

const COMMANDS = [
  'why',
  'why?',
  'fix',
  'help strace',
  'thread 25',
  'thread mail worker',
  'lsof pool.lock',
  'log really?',
  'strace 10',
  'strcae 10',
  'agian',
  'lsfo /var/log',
  'strcae 10 on web-8 7001',
  'diagnose port:8080',
  '`rm -rf /` <!channel>',
  '; reboot',
  '',
];

describe('what is said to the bot in a thread', () => {
  it.each(QUESTIONS)('is a question: %s', (text) => {
    expect(isQuestion(wordsOf(text), followUps)).toBe(true);
  });

  it.each(COMMANDS)('is a thread command, perhaps a mistyped one: %s', (text) => {
    expect(isQuestion(wordsOf(text), followUps)).toBe(false);
  });

  it.each(QUESTIONS)('is not meant for it when it is said to others: %s', (text) => {
    expect(isThreadCommand(text, { followUps, me })).toBe(false);
  });
});
