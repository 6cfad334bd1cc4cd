import type { KnownBlock, RichTextElement } from '@slack/types';
import { expectedHarm, type HarmfulStep } from '../../playbooks/harm.ts';
import { formatImpacts } from '../../playbooks/model/index.ts';
import { code, duration, list } from '../../playbooks/reading/text.ts';
import type { BotContext } from '../context.ts';
import type { Approvers } from '../policy.ts';
import type { Content, Mark } from '../slack/shapes.ts';
import {
  bullets,
  cutTo,
  fallback,
  header,
  note,
  paragraph,
  person,
  plain,
  shownLines,
  spans,
} from '../thread/rich-text.ts';
import type { Decision, Wanted } from './wanted.ts';

const clock = (at: number): string => `${new Date(at).toISOString().slice(11, 19)} UTC`;

/** What the message about an approval is recognised by. */
export const approvalMark = ({ asked }: Wanted): Mark => ({
  request_id: asked.id,
  part: 'approval',
  host: asked.host,
  pid: asked.pid,
  playbook: asked.playbook,
});

const MOST_NAMED = 8;

const whoMay = (approvers: Approvers): RichTextElement[] => {
  if (approvers.anybody) return [plain('Any other member of this workspace may approve it.')];
  const named = approvers.people.slice(0, MOST_NAMED).flatMap((user) => [plain(' '), person(user)]);
  const more = approvers.people.length - MOST_NAMED;
  return [plain('May approve:'), ...named, plain(more > 0 ? ` and ${more} more.` : '.')];
};

const stepLine = ({ title, impacts, tools, command }: HarmfulStep, pid: number): RichTextElement[] => {
  const with_ = tools.length === 0 ? '' : `, with ${list(tools, 'or')}`;
  return spans(`${title} (${formatImpacts(impacts)})${with_}: ${code(command(pid), 400)}`);
};

/** What will run, what it costs and whom it is for. The same before and after the decision. */
const question = (
  { asked, needs, user, lastSeen }: Wanted,
  { playbooks }: Pick<BotContext, 'playbooks'>,
): KnownBlock[] => {
  const summary = playbooks.find(({ id }) => id === asked.playbook);
  const steps = (summary?.harmful ?? []).filter((step) => step.always);
  const known =
    lastSeen?.rssKib === undefined || lastSeen.threads === undefined
      ? null
      : { rssKib: lastSeen.rssKib, swapKib: lastSeen.swapKib, threads: lastSeen.threads };
  const costs = expectedHarm(steps.length > 0 ? steps : [{ probe: asked.playbook, impacts: [...needs] }], known);
  const window = asked.windowSeconds === undefined ? '' : `, window ${duration(asked.windowSeconds)}`;
  const process =
    lastSeen === null
      ? 'No look of this thread has identified the process yet.'
      : `In its last look the process was ${code(lastSeen.command, 300)}; if it is another one by then, nothing is run.`;
  return [
    header(`Approval wanted for process ${asked.pid} on ${asked.host}`),
    paragraph([
      person(user),
      ...spans(
        ` asks for \`${asked.playbook}\`${summary === undefined ? '' : ` (${summary.title})`}${window}, which needs a yes to \`${formatImpacts(needs)}\`.`,
      ),
    ]),
    paragraph(spans(process)),
    ...(steps.length === 0 ? [] : [bullets(steps.map((step) => stepLine(step, asked.pid)))]),
    paragraph(spans([costs.stall, costs.disk, costs.death].filter((each) => each !== null).join(' '))),
  ];
};

/** The question, before it is decided. The buttons come below. */
export const wantedContent = (wanted: Wanted, approvers: Approvers, bot: Pick<BotContext, 'playbooks'>): Content => ({
  text: fallback(
    `Approval wanted: ${wanted.asked.playbook} (${formatImpacts(wanted.needs)}) on process ${wanted.asked.pid} on ${wanted.asked.host}`,
  ),
  blocks: [
    ...question(wanted, bot),
    paragraph(whoMay(approvers)),
    note(`Good until ${clock(wanted.until)}, once. Look ${wanted.asked.id}`),
  ],
});

const decided = ({ verdict, user, at, withdrawn }: Decision, trouble: string | null): RichTextElement[] => {
  switch (verdict) {
    case 'approved':
      return [
        plain(trouble === null ? '✅ Approved by ' : '⚪ Approved by '),
        person(user),
        plain(` at ${clock(at)}. ${trouble ?? 'The look runs with exactly these impacts.'}`),
      ];
    case 'refused':
      return [
        plain(withdrawn === true ? '⛔ Withdrawn by ' : '⛔ Refused by '),
        person(user),
        plain(` at ${clock(at)}. Nothing was run.`),
      ];
    case 'expired':
      return [
        plain(
          `⌛ Expired at ${clock(at)}: nobody approved it in time. Nothing was run; ask again if it is still wanted.`,
        ),
      ];
  }
};

/** The same message once it is decided, without buttons. `trouble`: why it could not be done all the same. */
export const decidedContent = (
  wanted: Wanted,
  decision: Decision,
  bot: Pick<BotContext, 'playbooks'>,
  trouble: string | null = null,
): Content => ({
  text: fallback(
    `${wanted.asked.playbook} on process ${wanted.asked.pid} on ${wanted.asked.host}: ${decision.withdrawn === true ? 'withdrawn' : decision.verdict}`,
  ),
  blocks: [
    ...question(wanted, bot),
    paragraph(decided(decision, trouble === null ? null : cutTo(shownLines(trouble), 600).text)),
    note(`Look ${wanted.asked.id}`),
  ],
});
