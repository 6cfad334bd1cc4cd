import fc from 'fast-check';
import { expect, test } from 'vitest';
import { leftOut, readLook } from '../../bot/commands/look.ts';
import type { BotContext } from '../../bot/context.ts';
import { loadCommands, loadFollowUps } from '../../bot/registry.ts';
import { wordsOf } from '../../bot/words.ts';
import { HostName, Pid, Selector } from '../../playbooks/model/index.ts';
import { anyText } from '../support/any-text.ts';
import { HOSTS, PLAYBOOKS } from '../support/bot.ts';

const commands = await loadCommands();

// Only what reading needs: nothing of Slack or the queue is asked.
const bot = {
  hosts: HOSTS,
  playbooks: PLAYBOOKS,
  commands,
} as unknown as BotContext;
const read = (text: string) => readLook(wordsOf(text), bot);

test.each([
  ['web-7 6325', { host: 'web-7', pid: 6325, playbook: 'triage' }],
  ['web-7 6325 strace', { host: 'web-7', pid: 6325, playbook: 'strace' }],
  ['web-7 6325 STRACE 10', { host: 'web-7', pid: 6325, playbook: 'strace', windowSeconds: 10 }],
  ['web-7 6325 10s strace', { host: 'web-7', pid: 6325, playbook: 'strace', windowSeconds: 10 }],
  ['web-7 6325 0.5', { host: 'web-7', pid: 6325, playbook: 'triage', windowSeconds: 0.5 }],
  [
    'web-7 port:8080 strace 5s',
    { host: 'web-7', selector: { kind: 'port', port: 8080 }, playbook: 'strace', windowSeconds: 5 },
  ],
  ['web-7 name:“celery*”', { host: 'web-7', selector: { kind: 'name', pattern: 'celery*' }, playbook: 'triage' }],
  [
    'web-7 unit:web@1.service',
    { host: 'web-7', selector: { kind: 'unit', name: 'web@1.service' }, playbook: 'triage' },
  ],
  ['web-7 TOP:cpu', { host: 'web-7', selector: { kind: 'top', by: 'cpu' }, playbook: 'triage' }],
  ['<http://cache-3|cache-3> 1', { host: 'cache-3', pid: 1, playbook: 'triage' }],
])('%s is understood', (text, understood) => {
  expect(read(text)).toEqual(understood);
});

test.each([
  ['', 'Ask like this: `/diagnose HOST PID [playbook] [seconds]`'],
  ['web-7', 'Which process on `web-7`?'],
  ['stauts', 'Did you mean `/diagnose status`?'],
  ['wbe-7 6325', 'I know no host called “wbe-7”. Did you mean `web-7`'],
  ['zzz 6325', 'I know: `local`, `web-7`, `web-8` and `db-1`.'],
  ['-oProxyCommand=id 6325', '“-oProxyCommand=id” is not a host name'],
  ['web-7;id 6325', '“web-7;id” is not a host name'],
  ['$(id) 6325', '“$(id)” is not a host name'],
  ['../etc/passwd 6325', 'is not a host name'],
  ['web-7 abc', '“abc” names no process: a process is named by its process id or by unit:NAME'],
  ['web-7 port:http', 'after `port:` comes a number from 1 to 65535'],
  ['web-7 top:disk', 'after `top:` comes `cpu`, `rss` or `fds`'],
  ['web-7 0', '“0” names no process: a process id is a number from 1 to 4194304'],
  ['web-7 99999999', 'a process id is a number from 1 to 4194304'],
  ['web-7 -1', '“-1” names no process'],
  ['web-7 6325 straec', 'There is no playbook called “straec”. Did you mean `strace`?'],
  ['web-7 6325 nonsense', 'There are: `triage`, `strace` and `gcore`.'],
  ['web-7 6325 triage 61', 'I can look for 0.5 to 60 seconds, not “61”.'],
  ['web-7 6325 triage 10 20', 'I do not understand “20” at the end.'],
  ['web-7 6325 triage strace', 'I do not understand “strace” at the end.'],
])('%j gets one clear sentence', (text, sentence) => {
  expect(read(text)).toContain(sentence);
});

test('any text is either understood or answered with a short harmless sentence', () => {
  const piece = fc.oneof(
    anyText(),
    fc.constantFrom('web-7', '6325', 'name:', 'port:1', 'triage', '<!channel>', '`', '10', '|', ';id'),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
      const understood = read(pieces.join(' '));
      if (typeof understood === 'string') return understood.length < 600 && !/<|\n/.test(understood);
      const process = 'pid' in understood ? Pid.safeParse(understood.pid) : Selector.safeParse(understood.selector);
      return HostName.safeParse(understood.host).success && process.success;
    }),
  );
});

test('what the policy keeps out is said', () => {
  expect(leftOut('triage', ['none', 'slows'], bot)).toBe('');
  expect(leftOut('gcore', ['none', 'slows'], bot)).toBe(
    ' Steps with the impact `stops` or `writes-disk` are left out: the policy does not allow them.',
  );
});

test('the directories are the registries', async () => {
  expect([...commands.keys()]).toEqual(expect.arrayContaining(['form', 'help', 'look', 'status']));
  expect([...(await loadFollowUps()).keys()]).toEqual(expect.arrayContaining(['again', 'help', 'strace', 'diagnose']));
});
