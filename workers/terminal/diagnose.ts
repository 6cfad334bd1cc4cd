import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { LookFailed, type Progress, type Request } from '../../playbooks/model/index.ts';
import { reportText } from '../../playbooks/report-text.ts';
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
const writeFolder = async (folder: string, { report, files }: Investigation): Promise<void> => {
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(path.join(folder, 'report.txt'), reportText(report));
  for (const file of files) await writeFile(path.join(folder, `${file.id}-${file.probe}.txt`), file.text);
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
  const request: Request = {
    id: randomUUID(),
    host: asked.host,
    pid: asked.pid,
    playbook: asked.playbook,
    windowSeconds: asked.windowSeconds,
    allow: ['none', 'slows', ...asked.allow],
    origin: { kind: 'terminal' },
    requestedAt: Date.now(),
  };
  try {
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
    if (asked.out !== undefined) await writeFolder(asked.out, investigation);
    terminal.out(asked.json ? `${JSON.stringify(investigation.report, null, 2)}\n` : reportText(investigation.report));
    return 0;
  } catch (error) {
    if (terminal.interactive) terminal.err('\r\x1b[K');
    if (!(error instanceof LookFailed)) throw error;
    terminal.err(`straceback: ${error.message}\n`);
    return 3;
  }
};
