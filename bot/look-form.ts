import type { KnownBlock, ModalView, PlainTextOption } from '@slack/types';
import { z } from 'zod';
import { QueueUnavailable } from '../infra/queue/connection.ts';
import { HostName } from '../playbooks/model/index.ts';
import { list } from '../playbooks/reading/text.ts';
import type { Asked } from './command.ts';
import { readLook } from './commands/look.ts';
import type { BotContext } from './context.ts';
import { filledIn, metadataOf, modal, Submission } from './form.ts';
import { nearest, wordsOf } from './words.ts';

/** What the modal that asks for a look is called towards Slack. */
export const LOOK_FORM = 'straceback-look';
/** The action_id of its host. */
export const HOST_FIELD = 'straceback-host';

/** Where the command was typed, and where its asker can be told privately. */
const Typed = z.object({ channel: z.string(), responseUrl: z.url() });

/** Slack's limits for options. */
const MAX_OPTIONS = 100;
const MAX_LABEL = 75;
const MAX_VALUE = 150;

const text = (words: string) => ({ type: 'plain_text', text: words, emoji: false }) as const;
const label = (words: string) => text(words.length <= MAX_LABEL ? words : `${words.slice(0, MAX_LABEL - 1)}…`);

/** Hosts for what somebody has typed so far: those that hold it, else those near to it, and a name that only a rule knows. */
export const offerHosts = (typed: string, { hosts }: Pick<BotContext, 'hosts'>): PlainTextOption[] => {
  const [whole = ''] = wordsOf(typed);
  const wanted = whole.toLowerCase();
  const offered = hosts.names.filter((name) => name.toLowerCase().includes(wanted));
  const begins = (name: string) => Number(name.toLowerCase().startsWith(wanted));
  offered.sort((one, other) => begins(other) - begins(one));
  const names = offered.length > 0 ? offered : nearest(wanted, hosts.names, 10);
  const own = HostName.safeParse(whole).success && !names.includes(whole) && hosts.known(whole) ? [whole] : [];
  return [...own, ...names]
    .filter((name) => name.length <= MAX_VALUE)
    .slice(0, MAX_OPTIONS)
    .map((name) => ({ text: label(name), value: name }));
};

const hostHint = ({ names, patterns = [] }: BotContext['hosts']): string => {
  const known = `${names.length} ${names.length === 1 ? 'host is' : 'hosts are'} listed`;
  const rules = patterns.length === 0 ? '' : `; any name like ${list(patterns.slice(0, 5), 'or')} works, too`;
  return `${known}${rules}.`;
};

type Site = Pick<BotContext, 'hosts' | 'playbooks'>;

const blocks = ({ hosts, playbooks }: Site): KnownBlock[] => {
  const options = playbooks.slice(0, MAX_OPTIONS).map(({ id, title }) => ({
    text: label(`${id}: ${title}`),
    value: id,
  }));
  const usual = options.find(({ value }) => value === 'triage');
  return [
    {
      type: 'input',
      block_id: 'host',
      label: text('Host'),
      hint: text(hostHint(hosts)),
      element: {
        type: 'external_select',
        action_id: HOST_FIELD,
        min_query_length: 0,
        placeholder: text('Type a name'),
        focus_on_load: true,
      },
    },
    {
      type: 'input',
      block_id: 'process',
      label: text('Process'),
      hint: text(
        'A pid, or what finds it: unit:NAME, name:PATTERN, port:N, container:ID, pod:NS/NAME, top:cpu, top:rss, top:fds.',
      ),
      element: { type: 'plain_text_input', action_id: 'process', max_length: 300, placeholder: text('6325') },
    },
    {
      type: 'input',
      block_id: 'playbook',
      optional: true,
      label: text('Playbook'),
      element: {
        type: 'static_select',
        action_id: 'playbook',
        placeholder: text('triage'),
        options,
        ...(usual === undefined ? {} : { initial_option: usual }),
      },
    },
    {
      type: 'input',
      block_id: 'window',
      optional: true,
      label: text('Window'),
      hint: text('How long to look, in seconds, 0.5 to 60. The playbook’s own when left empty.'),
      element: { type: 'number_input', action_id: 'window', is_decimal_allowed: true },
    },
  ];
};

/** The modal that asks what `/diagnose HOST PROCESS [playbook] [seconds]` says in words. */
export const lookForm = ({ channel, responseUrl }: Pick<Asked, 'channel' | 'responseUrl'>, site: Site): ModalView =>
  modal(LOOK_FORM, { title: 'Examine a process', submit: 'Look' }, blocks(site), { channel, responseUrl });

/** The words of the command that fields come to, and the field of the last of them. */
const steps = ({ host, process, playbook, window }: Readonly<Record<string, string | null>>) => {
  const given = (field: string, words: readonly string[]) => ({ field, words });
  const target = [host ?? '', ...wordsOf(process ?? '')];
  return [
    // Any pid: only the host is read here.
    given('host', [host ?? '', '1']),
    given('process', target),
    given('playbook', [...target, playbook ?? 'triage']),
    given('window', [...target, playbook ?? 'triage', ...(window === null || window === undefined ? [] : [window])]),
  ];
};

const ONE_PROCESS = 'One process: a pid or one selector, in one word.';

const tell = async (responseUrl: string, user: string, sentence: string, { slack, log }: BotContext): Promise<void> => {
  try {
    await slack.respond(responseUrl, sentence, user);
  } catch (error) {
    log.info({ error: String(error) }, 'asker could not be told');
  }
};

/**
 * Does what the typed command would do. Returns the sentence that it would be answered with at the field that it is about, or
 * null.
 */
export const submitLookForm = async (body: unknown, bot: BotContext): Promise<Record<string, string> | null> => {
  const submission = Submission.safeParse(body).data;
  const typed = submission === undefined ? null : metadataOf(submission, Typed);
  const look = bot.commands.get('look');
  if (submission === undefined || typed === null || look === undefined) {
    bot.log.error({}, 'submission refused: it does not parse');
    return { process: 'I cannot read this form. Close it and type `/diagnose` again.' };
  }
  const { user, team, view } = submission;
  const filled = filledIn(submission);
  if (wordsOf(filled.process ?? '').length > 1) return { process: ONE_PROCESS };
  const all = steps(filled);
  for (const { field, words } of all) {
    const understood = readLook(words, bot);
    if (typeof understood === 'string') return { [field]: understood };
  }
  try {
    const answer = await look.run(
      {
        words: all.at(-1)?.words ?? [],
        team: user.team_id ?? team?.id ?? bot.me.teamId,
        channel: typed.channel,
        user: user.id,
        // One submission of one modal, however often it is delivered.
        triggerId: `form-${view.id}`,
        responseUrl: typed.responseUrl,
        at: bot.queue.now(),
      },
      bot,
    );
    // Nothing is wrong with the fields any more: it says what happens now.
    if (answer !== null) void tell(typed.responseUrl, user.id, answer, bot);
    return null;
  } catch (error) {
    if (!(error instanceof QueueUnavailable)) throw error;
    return { process: error.message };
  }
};
