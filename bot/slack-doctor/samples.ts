import type { ActionsBlock } from '@slack/types';
import type { Reply } from '../../playbooks/model/index.ts';
import { Language } from '../../playbooks/words/index.ts';
import { stormContent, stormMention } from '../alerts/storm-message.ts';
import { firesAgain, groupContent } from '../alerts/thread.ts';
import { decidedContent, wantedContent } from '../approvals/show.ts';
import { BUTTON_ID } from '../buttons.ts';
import type { CauseSummary, PlaybookSummary } from '../context.ts';
import { modal } from '../form.ts';
import { withSeenBefore } from '../history/seen-line.ts';
import { homeView, refusedView } from '../home/view.ts';
import { lookForm } from '../look-form.ts';
import { answerContent, lookingContent } from '../questions/show.ts';
import type { Content } from '../slack/shapes.ts';
import {
  failureContent,
  openingContent,
  progressContent,
  reportContent,
  sentenceContent,
} from '../thread/first-message.ts';
import { withPressed } from '../thread/pressed.ts';
import { withProse } from '../thread/prose.ts';
import { renderReport } from '../thread/render.ts';
import { withResolved } from '../thread/resolved.ts';
import { watchContent } from '../watches/message.ts';
import type { Sample } from './blocks.ts';
import * as example from './example-data.ts';

/** What the site has that messages show. */
export interface SiteOfSamples {
  readonly hosts: readonly string[];
  readonly playbooks: readonly PlaybookSummary[];
  readonly causes: readonly CauseSummary[];
}

const URL_OF_TEAM = 'https://example.slack.com/';
const AT = Date.UTC(2026, 0, 15, 10, 30);

const message = (of: string, name: string, content: Content): Sample => ({ of, name, shown: { message: content } });

/** Buttons as the bot makes them, without what is kept of them: nobody will press these. */
const BUTTONS: ActionsBlock = {
  type: 'actions',
  block_id: 'example-row',
  elements: (['Approve', 'Refuse'] as const).map((label, index) => ({
    type: 'button',
    action_id: `${BUTTON_ID}-${index}`,
    text: { type: 'plain_text', text: label, emoji: false },
    value: `example-token-${index}`,
    style: index === 0 ? 'primary' : 'danger',
  })),
};

const withButtons = ({ text, blocks }: Content): Content => ({ text, blocks: [...blocks, BUTTONS] });

const reports = (): Sample[] =>
  Language.options.flatMap((language) =>
    Object.entries(example.EXAMPLE_REPORTS).flatMap(([kind, report]) => {
      const { EXAMPLE_LOOK: look, PERSON } = example;
      const parts = renderReport(report, PERSON, language);
      return [
        message(
          'reportContent',
          `first message, ${kind}, ${language}`,
          withButtons(reportContent(look, PERSON, report, undefined, language)),
        ),
        ...parts.map((part, index) => message('renderReport', `report, ${kind}, ${language}, part ${index + 1}`, part)),
      ];
    }),
  );

const additions = (): Sample[] => {
  const { EXAMPLE_LOOK: look, EXAMPLE_REPORTS: all, PERSON, CHANNEL } = example;
  const first = withButtons(reportContent(look, PERSON, all.sick));
  const claim = { text: 'Two threads wait for each other in `save`.', rests_on: ['F1'] };
  const prose = {
    headline: claim,
    sentences: [claim, claim],
    fix: { title: 'Fix', text: 'Take both locks in one order.', code: 'with a, b:\n    save()', rests_on: ['F1'] },
    next: [claim],
  };
  const written = { prose, note: null, model: 'example-model', tokens: 1_234, price: 0.01, dropped: 1 };
  const at = new Date(AT);
  const seen = {
    cause: 'thread-deadlock',
    times: 3,
    channels: [CHANNEL],
    first: at,
    last: { at, host: look.host, channel: CHANNEL, threadTs: '1700000000.000100' },
    helped: [{ words: 'a restart <and> a fix', at }],
    resolved: 2,
    gone: 1,
    wrong: 1,
    instead: null,
  };
  const pressed = [{ token: 'example-token-0', group: 'example-row', label: 'Approve', user: PERSON }];
  const thread = { channel: CHANNEL, threadTs: String(AT / 1_000 - 600) };
  return [
    message('withProse', 'first message with a summary', withProse(first, written)),
    message(
      'withProse',
      'first message without one',
      withProse(first, { ...written, prose: null, note: 'it gave no answer' }),
    ),
    message('withSeenBefore', 'first message, seen before', withSeenBefore(first, seen, URL_OF_TEAM)),
    message('withPressed', 'pressed buttons', withPressed(first, pressed)),
    message('withResolved', 'resolved', withResolved(first, thread, { id: 'r', user: PERSON, at: AT })),
  ];
};

const states = ({ playbooks }: SiteOfSamples): Sample[] => {
  const { EXAMPLE_LOOK: look, EXAMPLE_WANTED: wanted, PERSON } = example;
  const bot = { playbooks };
  const decision = { user: PERSON, press: 'p', at: AT };
  return [
    message('openingContent', 'before a look', openingContent(look, PERSON, 'A worker takes it in a moment.')),
    message('progressContent', 'progress', withButtons(progressContent(look, PERSON, example.EXAMPLE_PROGRESS))),
    message('failureContent', 'failure', failureContent(look, null, example.EXAMPLE_FAILURE)),
    message('sentenceContent', 'a sentence', sentenceContent('There is no look in this thread yet.', PERSON)),
    message(
      'wantedContent',
      'approval asked for',
      withButtons(wantedContent(wanted, { anybody: false, people: Array.from({ length: 12 }, () => PERSON) }, bot)),
    ),
    ...(['approved', 'refused', 'expired'] as const).map((verdict) =>
      message('decidedContent', `approval ${verdict}`, decidedContent(wanted, { ...decision, verdict }, bot)),
    ),
    message('watchContent', 'watch', watchContent(example.EXAMPLE_WATCH, 30_000)),
    message(
      'watchContent',
      'watch that ended',
      watchContent(
        { ...example.EXAMPLE_WATCH, ended: { at: AT, why: 'The process ended.', tell: true, shown: true } },
        30_000,
      ),
    ),
  ];
};

const alerts = (): Sample[] => [
  ...Object.entries(example.EXAMPLE_GROUPS).map(([state, group]) =>
    message(
      'groupContent',
      `alert, ${state}`,
      groupContent(group, {
        workspace: URL_OF_TEAM,
        waiting: state === 'waiting' ? 'Waits for its turn to look at' : null,
      }),
    ),
  ),
  ...Object.values(example.EXAMPLE_GROUPS)
    .slice(0, 1)
    .map((group) => message('firesAgain', 'alert fires again', firesAgain(group))),
  message('stormContent', 'storm', stormContent(example.EXAMPLE_STORM)),
  message('stormMention', 'somebody named in a storm', stormMention(example.PERSON)),
];

const questions = (): Sample[] => {
  const about = {
    text: 'Why does it wait <for> `save`?',
    made: [
      { verb: 'lsof', text: null },
      { verb: 'log', text: 'error' },
    ],
  };
  const step = { verb: 'lsof', playbook: 'lsof', summary: 'Its open files' };
  const replies: Record<string, Reply['said']> = {
    answer: {
      kind: 'answer',
      sentences: [{ text: 'It waits in `save`.', rests_on: ['E1'] }],
      lines: [{ evidenceId: 'E1', probe: 'py-stacks', text: '  File "/srv/app/pool.py", line 41, in save' }],
      offer: 'lsof',
      dropped: 1,
    },
    'cannot tell': { kind: 'answer', sentences: [], lines: [], offer: null, dropped: 0 },
    nothing: { kind: 'nothing', note: 'it gave no answer' },
    'no model': { kind: 'no-model' },
  };
  const spent = { model: 'example-model', usage: { input: 1_000, output: 100 }, price: 0.01 };
  return Language.options.flatMap((language) => [
    ...(['looking', 'no-worker', 'closer'] as const).map((state) =>
      message('lookingContent', `question, ${state}, ${language}`, lookingContent(about, state, language)),
    ),
    ...Object.entries(replies).map(([kind, said]) =>
      message(
        'answerContent',
        `question, ${kind}, ${language}`,
        answerContent(about, { said, ...spent }, kind === 'answer' ? { step, button: BUTTONS } : null, language),
      ),
    ),
  ]);
};

const views = ({ hosts, playbooks, causes }: SiteOfSamples): Sample[] => {
  const request = { ...example.EXAMPLE_LOOK, origin: { kind: 'terminal' as const } };
  const home = homeView({
    status: {
      workers: 2,
      waiting: 1,
      active: [
        { request, progress: example.EXAMPLE_PROGRESS },
        { request: { ...request, id: 'r-0123456789abcde0' }, progress: null },
      ],
    },
    leftOut: 1,
    recent: (['fault', 'healthy', 'unclear', 'failed', 'cancelled'] as const).map((state) => ({
      requestId: example.EXAMPLE_LOOK.id,
      host: 'example-host',
      pid: 4242,
      playbook: 'triage',
      channel: example.CHANNEL,
      threadTs: '1700000000.000100',
      at: AT,
      state,
      cause: state === 'fault' ? 'thread-deadlock' : null,
      failure: state === 'failed' ? 'unreachable' : null,
      resolved: state === 'healthy',
    })),
    hosts,
    states: hosts.slice(0, 2).map((host, index) => ({ host, at: AT, reachable: index === 0, words: 'gdb is missing' })),
    causes,
    url: URL_OF_TEAM,
    now: AT + 60_000,
  });
  const field = { type: 'plain_text_input' as const, action_id: 'words', multiline: true, max_length: 1_000 };
  const label = { type: 'plain_text' as const, text: 'What helped?', emoji: false };
  const form = modal(
    'example',
    { title: 'Resolve', submit: 'Keep' },
    [{ type: 'input', block_id: 'words', label, element: field }],
    {
      token: 'example',
    },
  );
  return [
    { of: 'homeView', name: 'home tab', shown: { view: home } },
    { of: 'refusedView', name: 'home tab of a guest', shown: { view: refusedView('Guests may not ask for looks.') } },
    { of: 'modal', name: 'form', shown: { view: form } },
    {
      of: 'lookForm',
      name: 'form that asks for a look',
      shown: {
        view: lookForm(
          { channel: example.CHANNEL, responseUrl: URL_OF_TEAM },
          { hosts: { names: hosts, known: () => true, patterns: [] }, playbooks },
        ),
      },
    },
  ];
};

/** Something of every kind that the bot shows, made by what makes it. Pure. */
export const samplesOf = (site: SiteOfSamples): Sample[] => [
  ...reports(),
  ...additions(),
  ...states(site),
  ...alerts(),
  ...questions(),
  ...views(site),
];
