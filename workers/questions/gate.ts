import type { CitedLine, Claim, Step } from '../../playbooks/model/index.ts';
import { problemOf } from '../prose/gate.ts';
import type { Gathered } from './gather.ts';
import { ranked } from './ranking.ts';
import type { ModelReply } from './schema.ts';
import { queryOf, termsOf } from './terms.ts';

/** What is left of an answer. Without sentences it cannot be told. */
export interface GatedReply {
  readonly sentences: readonly Claim[];
  /** Literal lines of what these rest on. */
  readonly lines: readonly CitedLine[];
  /** The verb of a step that could tell; null for none. */
  readonly offer: string | null;
  readonly dropped: readonly { readonly text: string; readonly why: string }[];
}

const MOST_SENTENCES = 4;
const MOST_LINES = 6;
const MOST_LINES_EACH = 3;

/** Of a chunk's lines those that have most to do with the sentence, in their order. */
const linesFor = ({ text, rests_on }: Claim, { lines }: Gathered): CitedLine[] =>
  rests_on.flatMap((id) => {
    const chunk = lines.get(id);
    if (chunk === undefined) return [];
    const best = ranked(termsOf(text), chunk.lines, termsOf).slice(0, MOST_LINES_EACH);
    return chunk.lines
      .filter((line) => best.includes(line))
      .map((line) => ({ evidenceId: chunk.evidenceId, probe: chunk.probe, text: line }));
  });

const distinct = (lines: readonly CitedLine[]): CitedLine[] =>
  lines.filter(
    (line, index) =>
      lines.findIndex((other) => other.text === line.text && other.evidenceId === line.evidenceId) === index,
  );

/** What could be run: what the model named, if it is offered; when nothing can be told, else what suits the question best. */
const offerFor = (reply: ModelReply, told: boolean, question: string, offers: readonly Step[]): string | null => {
  const named = offers.find(({ verb }) => verb === reply.could_run);
  if (named !== undefined || told) return named?.verb ?? null;
  const [best] = ranked(queryOf(question), offers, ({ verb, summary }) => termsOf(`${verb} ${summary}`));
  return best?.verb ?? null;
};

/**
 * Lets through the sentences that are covered by the items which they cite, with literal lines of these. When half of them or
 * more fall, so do the others: what is left of such an answer is not what it says. Pure.
 */
export const gateReply = (reply: ModelReply, gathered: Gathered, offers: readonly Step[]): GatedReply => {
  const dropped: { text: string; why: string }[] = [];
  const claims = reply.answer.slice(0, MOST_SENTENCES);
  const kept = claims.filter((claim) => {
    const why = problemOf(claim, gathered.view);
    if (why !== null) dropped.push({ text: claim.text, why });
    return why === null;
  });
  const sentences = kept.length * 2 > claims.length ? kept : [];
  const lines = distinct(sentences.flatMap((claim) => linesFor(claim, gathered))).slice(0, MOST_LINES);
  const offer = offerFor(reply, sentences.length > 0, gathered.view.asked ?? '', offers);
  return { sentences, lines, offer, dropped };
};
