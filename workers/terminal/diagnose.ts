import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Found, LookFailed, type Progress, type Request, selectorText } from '../../playbooks/model/index.ts';
import { clip, duration, kib, visible } from '../../playbooks/reading/text.ts';
import { reportText } from '../../playbooks/report-text.ts';
import { inLanguage, type Language } from '../../playbooks/words/index.ts';
import { findProcesses } from '../finding/find.ts';
import { type Investigation, investigate } from '../investigate.ts';
import type { Knowledge } from '../knowledge.ts';
import type { HostShell } from '../ssh/shell.ts';
import type { DiagnoseArguments } from './arguments.ts';

/** The streams and the surroundings of a terminal; a test passes its own. */
export interface Terminal {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether standard error is a terminal, on which a progress line may be rewritten. */
  readonly interactive: boolean;
  readonly signal: AbortSignal;
}

export interface DiagnoseTools {
  readonly knowledge: Knowledge;
  readonly openShell: (host: string) => Promise<HostShell>;
  readonly keepFolder: (host: string) => string;
}

const progressLine = (terminal: Terminal) => (progress: Progress) => {
  if (!terminal.interactive) return;
  const probes = progress.probes.join(', ');
  terminal.err(`\r\x1b[K${String(progress.percent).padStart(3)}%  ${progress.doing} (${probes})`);
};

/** Writes report and evidence into a folder that is made when needed: report.json, report.txt, E1-identify.txt, … */
const writeFolder = async (
  folder: string,
  { report, files }: Investigation,
  language: Language | undefined,
): Promise<void> => {
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(path.join(folder, 'report.txt'), reportText(report, language));
  for (const file of files) await writeFile(path.join(folder, `${file.id}-${file.probe}.txt`), file.text);
};

const MOST_CHOICES = 20;

/** A line for each process that may be meant. */
const choices = ({ candidates, total }: Extract<Found, { kind: 'found' }>): string => {
  const rows = candidates
    .slice(0, MOST_CHOICES)
    .map(
      ({ pid, role, cpuPercent, rssKib, ageSeconds, user, command }) =>
        `${String(pid).padStart(8)}  ${`${cpuPercent} %`.padStart(8)}  ${kib(rssKib).padStart(8)}  ${duration(ageSeconds).padStart(12)}  ${visible(user)}  ${role === undefined ? '' : `${role}: `}${clip(visible(command), 100)}`,
    );
  const rest = total - rows.length;
  return [...rows, ...(rest > 0 ? [`          and ${rest} more`] : [])].join('\n');
};

/** The process that is meant; a typed pid is not looked for. Throws LookFailed when it is none or several. */
const targetOf = async (
  { host, selector }: DiagnoseArguments,
  { openShell }: DiagnoseTools,
  { err, interactive, signal }: Terminal,
): Promise<Pick<Request, 'pid' | 'startTime' | 'selector'>> => {
  if (selector.kind === 'pid') return { pid: selector.pid };
  const text = selectorText(selector);
  if (interactive) err(`\r\x1b[K  0%  Finding ${visible(text)}`);
  const found = await findProcesses(host, selector, { openShell, signal });
  if (interactive) err('\r\x1b[K');
  if (found.kind === 'failure') throw new LookFailed(found.failure.code, found.failure.sentence);
  if (found.pick !== null) {
    err(`Process ${found.pick.pid} is meant by ${visible(text)}. ${visible(found.how)}\n`);
    return { pid: found.pick.pid, startTime: found.pick.startTime, selector: text };
  }
  if (found.total === 0) {
    const more = [found.near.replaceAll('`', ''), ...found.partly.map((each) => `(${each})`)].filter(
      (each) => each !== '',
    );
    throw new LookFailed(
      'no-such-process',
      `No process on ${host} is meant by ${visible(text)}. ${more.join(' ')}`.trim(),
    );
  }
  throw new LookFailed(
    'no-such-process',
    `${found.total} processes on ${host} are meant by ${visible(text)}; name one by its process id:\n${choices(found)}`,
  );
};

/**
 * `straceback diagnose`: the same pipeline in this process, without Redis. Resolves to the exit code: 0 when it could
 * look, 3 when it could not reach or read the process (one sentence on standard error).
 */
export const diagnoseOnTerminal = async (
  asked: DiagnoseArguments,
  tools: DiagnoseTools,
  terminal: Terminal,
): Promise<number> => {
  try {
    const request: Request = {
      id: randomUUID(),
      host: asked.host,
      ...(await targetOf(asked, tools, terminal)),
      playbook: asked.playbook,
      windowSeconds: asked.windowSeconds,
      allow: ['none', 'slows', ...asked.allow],
      origin: { kind: 'terminal' },
      requestedAt: Date.now(),
    };
    const investigation = await investigate(request, {
      ...tools.knowledge,
      openShell: tools.openShell,
      keepFolder: tools.keepFolder,
      progress: progressLine(terminal),
      journal: { started: async () => {}, earlier: async () => [] },
      signal: terminal.signal,
      now: Date.now,
    });
    if (terminal.interactive) terminal.err('\r\x1b[K');
    if (asked.out !== undefined) await writeFolder(asked.out, investigation, asked.language);
    terminal.out(
      asked.json
        ? `${JSON.stringify(investigation.report, null, 2)}\n`
        : reportText(investigation.report, asked.language),
    );
    return 0;
  } catch (error) {
    if (terminal.interactive) terminal.err('\r\x1b[K');
    if (!(error instanceof LookFailed)) throw error;
    const { instead } = error;
    const next =
      instead === undefined ? '' : ` Look at that one with: straceback diagnose ${asked.host} ${instead.pid}`;
    terminal.err(`straceback: ${inLanguage(error.message, asked.language ?? 'en')}${next}\n`);
    return 3;
  }
};
