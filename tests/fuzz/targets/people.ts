import { leftOut, readLook } from '../../../bot/commands/look.ts';
import type { BotContext } from '../../../bot/context.ts';
import { isThreadCommand } from '../../../bot/mention.ts';
import { loadCommands, loadFollowUps } from '../../../bot/registry.ts';
import { nearest, quoted, wordsOf } from '../../../bot/words.ts';
import { readSelector, Selector, selectorText } from '../../../playbooks/model/index.ts';
import { readDiagnoseArguments, readDoctorArguments, UsageError } from '../../../workers/terminal/arguments.ts';
import { sentences, type Target, textTarget } from '../target.ts';

const [commands, followUps] = await Promise.all([loadCommands(), loadFollowUps()]);
const NAMES = ['web-7', 'web-8', 'db-1'];
const PLAYBOOKS = ['triage', 'strace', 'gcore'].map((id) => ({
  id,
  title: id,
  description: id,
  impacts: ['none' as const],
}));

// Only what reading needs: nothing of Slack or the queue is asked.
const bot = {
  hosts: { names: NAMES, known: (name: string) => NAMES.includes(name) },
  playbooks: PLAYBOOKS,
  commands,
  followUps,
  me: { userId: 'U0BOT' },
} as unknown as BotContext;

/** A sentence for a person: there, bounded, and with nothing in it that Slack would act on. */
const sentence = (text: string): void => {
  if (text.trim() === '') throw new Error('it says nothing');
  if (text.length > 2_000) throw new Error(`its sentence has ${text.length} characters`);
  if (/<[!@#]/.test(text)) throw new Error(`its sentence calls somebody: ${text}`);
};

const selectorWords = ['port:80', 'unit:web', 'name:"a b"', 'container:4f1', 'top:cpu', '123', 'name:', 'port:', ':'];
const words = [...commands.keys(), ...followUps.keys(), ...NAMES, ...selectorWords, '5s', 'on', 'triage', '0.5', '-1'];

const terminal = (name: string, read: (words: readonly string[]) => unknown): Target =>
  textTarget(name, sentences([...words, '--json', '--config', '--user', '--port', '--', '-v', 'a=b']), (text) => {
    try {
      read(text.split(/\s+/));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      if (error.message === '') throw new Error('it does not say what is wrong');
    }
  });

/** What people type: slash commands, replies in threads, selectors, the terminal's arguments. */
export const peopleTargets: readonly Target[] = [
  textTarget('people/look-command', sentences(words), (text) => {
    const asked = readLook(wordsOf(text), bot);
    if (typeof asked === 'string') return sentence(asked);
    if (!NAMES.includes(asked.host)) throw new Error(`an unknown host passed: ${asked.host}`);
    leftOut(asked.playbook, ['none'], bot);
  }),
  textTarget('people/reply', sentences([...words, '<@U0BOT>', '<http://a|web-7>']), (text) => {
    isThreadCommand(text, bot);
    const [verb = ''] = wordsOf(text);
    sentence(quoted(verb));
    nearest(verb.slice(0, 100), [...followUps.keys()]);
  }),
  textTarget('people/selector', sentences(selectorWords), (text) => {
    const selector = readSelector(text);
    if (typeof selector === 'string') {
      if (selector === '') throw new Error('it does not say what is wrong');
      return;
    }
    Selector.parse(selector);
    const again = readSelector(selectorText(selector));
    if (JSON.stringify(again) !== JSON.stringify(selector)) throw new Error('its text is not read back as itself');
  }),
  terminal('people/diagnose-arguments', readDiagnoseArguments),
  terminal('people/doctor-arguments', readDoctorArguments),
];
