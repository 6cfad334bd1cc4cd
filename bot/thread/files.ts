import { EvidenceUnavailable, NoEvidence } from '../../infra/evidence/far-store.ts';
import type { AnswerTools } from '../../infra/queue/bot-side.ts';
import type { Answer } from '../../infra/queue/messages.ts';
import type { Report } from '../../playbooks/model/index.ts';
import { reportText } from '../../playbooks/report-text.ts';
import { inLanguage, type Language } from '../../playbooks/words/index.ts';
import type { BotContext } from '../context.ts';
import { findOurs, once } from './post-once.ts';
import { escaped } from './rich-text.ts';

/** So often it is waited for a bucket that cannot be read, some seconds; then the report goes without its files. */
const WAIT_ATTEMPTS = 4;
/** Slack shows at most ten files well in one message. */
const FILES_PER_MESSAGE = 10;

interface Attached {
  readonly name: string;
  readonly title: string;
  readonly content: Uint8Array;
}

/** Evidence that the findings quote: what a person looks into first. */
const quotedBy = (report: Report): ReadonlySet<string> =>
  new Set(
    report.findings.flatMap(({ evidence, source = [] }) =>
      [...evidence, ...source].map(({ evidenceId }) => evidenceId),
    ),
  );

const encoder = new TextEncoder();

/** Many small files as one, each under a line with its name. */
const bundled = (files: readonly Attached[]): Attached => {
  const name = 'other-evidence.txt';
  const parts = files.flatMap(({ title, content }) => [
    encoder.encode(`===== ${title} =====\n`),
    content,
    encoder.encode('\n'),
  ]);
  return { name, title: `${name} (${files.length} steps)`, content: Buffer.concat(parts) };
};

/**
 * The report as text and data, then the evidence, so that all of it is one message: what findings quote for itself, the
 * rest in one file when it is much. Names of evidence that is no longer there or is empty apart.
 */
const collect = async (
  report: Report,
  answer: Answer,
  { attempt, readFile }: AnswerTools,
  language: Language,
): Promise<{ files: Attached[]; notes: string[] }> => {
  const reports: Attached[] = [
    { name: 'report.txt', title: 'report.txt', content: encoder.encode(reportText(report, language)) },
    { name: 'report.json', title: 'report.json', content: encoder.encode(`${JSON.stringify(report, null, 2)}\n`) },
  ];
  const quoted = quotedBy(report);
  const single: Attached[] = [];
  const others: Attached[] = [];
  const notes: string[] = [];
  let trouble: string | null = null;
  for (const file of answer.files) {
    let content: Uint8Array | null = null;
    try {
      content = file.bytes === 0 ? null : await readFile(file);
    } catch (error) {
      if (!(error instanceof NoEvidence)) throw error;
      if (error instanceof EvidenceUnavailable && attempt < WAIT_ATTEMPTS) throw error;
      trouble = error.message.replace(/\.$/, '');
      continue;
    }
    if (content === null) {
      notes.push(file.bytes === 0 ? `${file.name} is empty` : `${file.name} was too large or has expired`);
      continue;
    }
    const attached = { name: file.name, title: `${file.name}${file.truncated ? ' (cut)' : ''}`, content };
    (quoted.has(file.evidenceId) ? single : others).push(attached);
  }
  if (trouble !== null) notes.push(trouble);
  const room = FILES_PER_MESSAGE - reports.length - single.length;
  const rest = others.length <= Math.max(1, room) ? others : [bundled(others)];
  return { files: [...reports, ...single, ...rest], notes };
};

/**
 * Attaches report and evidence to the thread, ten files a message, each message once. Throws SlackRefused and
 * SlackAway.
 */
export const attachFiles = async (
  report: Report,
  answer: Answer,
  place: { channel: string; threadTs: string; since: number },
  tools: AnswerTools,
  { slack, me, languages }: BotContext,
): Promise<void> => {
  const language = languages.ofLook(answer.request.origin);
  const { attempt } = tools;
  const { files, notes } = await collect(report, answer, tools, language);
  for (let from = 0, part = 1; from < files.length; from += FILES_PER_MESSAGE, part += 1) {
    const some = files.slice(from, from + FILES_PER_MESSAGE);
    const name = `look ${report.id}, part ${part}`;
    const about = from === 0 && notes.length > 0 ? ` ${escaped(notes.join('; '))}.` : '';
    const comment = `${inLanguage(`Report and evidence, ${escaped(name)}.`, language)}${about}`;
    await once(
      attempt,
      () =>
        findOurs(
          slack,
          me.botId,
          place,
          (message) => (message.files?.length ?? 0) > 0 && (message.text ?? '').includes(`${escaped(name)}.`),
        ),
      async () => {
        const uploaded = [];
        for (const { name: fileName, title, content } of some)
          uploaded.push({ id: await slack.upload(fileName, content), title });
        await slack.share(place, uploaded, comment);
        return null;
      },
    );
  }
};
