import { LookFailed, type Report, type Request } from '../playbooks/model/index.ts';
import type { IdentifyData } from '../playbooks/probes/identify.ts';
import { bytes, code, count, duration, list } from '../playbooks/reading/text.ts';
import type { HostShell } from './ssh/shell.ts';
import type { Judgement } from './stages/judge.ts';

const HEADLINE = 0.5;

/** Why a look ends early, as it was said to its signal. */
export const whyAborted = ({ reason }: AbortSignal): LookFailed =>
  reason instanceof LookFailed ? reason : new LookFailed('cancelled', 'The look was cancelled.');

/** Opens the shell of a look, unless the look is ended first; a shell that comes too late is closed. Throws LookFailed. */
export const openUnlessAborted = async (signal: AbortSignal, open: () => Promise<HostShell>): Promise<HostShell> => {
  const opening = open();
  if (signal.aborted) {
    void opening.then((shell) => shell.close()).catch(() => undefined);
    throw whyAborted(signal);
  }
  return await new Promise<HostShell>((resolve, reject) => {
    const giveUp = () => {
      reject(whyAborted(signal));
      void opening.then((shell) => shell.close()).catch(() => undefined);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    opening.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
  });
};

/** What half a look may say: it shows no health, for what was not looked at may be sick. */
export const half = (judgement: Judgement): Judgement => ({
  ...judgement,
  findings: judgement.findings.filter(({ cause }) => cause !== 'healthy'),
});

/** Whether half a look is worth a report: it found something, or has some output of the tool that was asked for. */
export const worthReporting = (report: Report): boolean =>
  report.findings.some(({ cause, confidence }) => cause !== 'healthy' && confidence >= HEADLINE) ||
  (report.shown?.lines.length ?? 0) > 0;

const endedText = (ended: readonly string[]): string =>
  ended.length === 0
    ? ''
    : ` ${list(ended.map((probe) => `\`${probe}\``))} ${ended.length === 1 ? 'was' : 'were'} ended before the time.`;

/** `The look was cancelled by bob after 4 s`, without a full stop. */
const afterSeconds = (why: LookFailed, seconds: number): string =>
  `${why.message.replace(/\.$/, '')} after ${duration(seconds)}`;

/** What is said under the report of half a look. */
export const halfCaveat = (why: LookFailed, seconds: number, ended: readonly string[]): string =>
  `${afterSeconds(why, seconds)}.${endedText(ended)} This report rests on what was seen until then.`;

/** The answer of a cancelled look that found nothing: what was seen of the process nevertheless. */
export const nothingFound = (
  why: LookFailed,
  seconds: number,
  request: Request,
  process: IdentifyData | null,
  report: Report | null,
  ended: readonly string[],
): LookFailed => {
  const when = afterSeconds(why, seconds);
  if (process === null || report === null) {
    return new LookFailed('cancelled', `${when}, before process ${request.pid} on ${request.host} was reached.`, why);
  }
  const hints = report.findings.map(({ title }) => title);
  const said = hints.length === 0 ? 'before a fault was found' : `with no more than a hint: ${list(hints)}`;
  const { runtime, command } = report.target;
  const seen = [
    `state ${process.state.letter}`,
    count(process.threads, 'thread'),
    `${bytes(process.memory.rssKib * 1024)} resident`,
    `started ${duration(process.ageSeconds)} before`,
  ];
  return new LookFailed(
    'cancelled',
    `${when}, ${said}.${endedText(ended)} Seen until then: process ${request.pid} is ${code(command, 120)} (${runtime}), ${seen.join(', ')}. That says nothing of its health.`,
    why,
  );
};
