import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { redactor } from '../../infra/redact/redactor.ts';
import { type Candidate, type Found, LookFailed, type Selector } from '../../playbooks/model/index.ts';
import { clip } from '../../playbooks/reading/text.ts';
import type { HostShell, StepResult } from '../ssh/shell.ts';
import type { Pod } from './list.names.ts';
import { type HostList, type HostProcess, parseList } from './list.parse.ts';
import { nearTo } from './near.ts';
import { type Selected, select } from './select.ts';
import { programUnit, successorOf } from './successor.ts';

const scripts = ['list.sh', 'list.py'].map((name) => ({
  name,
  content: readFileSync(new URL(name, import.meta.url), 'utf8'),
}));

/** The lister itself ends after about seven seconds. */
const SECONDS = 20;
/** 10,000 processes with 600 bytes of command line each, and as much again. */
const BYTES = 16_000_000;
const MOST = 100;
const MOST_COMMAND = 300;

const trouble = (host: string, { end, stderr }: StepResult): LookFailed => {
  switch (end) {
    case 'connection-lost':
      return new LookFailed(
        'connection-lost',
        `The connection to ${host} was lost while its processes were listed. Ask again when the host can be reached.`,
      );
    case 'timed-out':
      return new LookFailed(
        'unreachable',
        `${host} did not list its processes within ${SECONDS} s; it may be overloaded. Ask with a process id.`,
      );
    default: {
      const said = clip(new TextDecoder().decode(stderr).trim().split('\n')[0] ?? '', 160);
      return new LookFailed(
        'host-garbage',
        `${host} could be reached, but its processes could not be listed${said === '' ? '' : ` (it said: ${said})`}. Ask with a process id.`,
      );
    }
  }
};

/** Lists the processes of a host. Throws LookFailed. */
export const listProcesses = async (host: string, shell: HostShell): Promise<HostList> => {
  const word = randomUUID();
  const result = await shell.run({
    id: `list-${word}`,
    argv: ['sh', '{script:list.sh}', '{script:list.py}', word],
    scripts,
    seconds: SECONDS,
    bytes: BYTES,
    endWith: 'TERM',
    ptraces: false,
    target: null,
  });
  const list = result.end === 'exited' || result.end === 'timed-out' ? parseList(result.stdout, word) : null;
  if (list === null) throw trouble(host, result);
  return list;
};

const podText = ({ namespace, name, container }: Pod): string =>
  [namespace, name, ...(container === null ? [] : [container])].join('/');

/** What leaves the worker of a process: no secrets, nothing long. */
const candidateOf =
  (redact: (text: string) => string, { master }: Selected, matches: readonly HostProcess[]) =>
  (process: HostProcess): Candidate => ({
    pid: process.pid,
    startTime: process.startTime,
    parent: process.parent,
    name: process.name,
    command: clip(redact(process.command), MOST_COMMAND),
    ageSeconds: Math.round(process.ageSeconds * 100) / 100,
    cpuPercent: process.cpuPercent,
    rssKib: process.rssKib,
    fds: process.fds,
    user: process.user,
    unit: programUnit(process.units) ?? process.units.at(-1) ?? null,
    container: process.container,
    ...(process.containerName === null ? {} : { containerName: process.containerName }),
    ...(process.pod === null ? {} : { pod: podText(process.pod) }),
    ...(process.pidInside === null ? {} : { pidInside: process.pidInside }),
    ports: [...process.ports],
    ...(master === null || !matches.includes(process) ? {} : { role: process === master ? 'master' : 'worker' }),
  });

/** The processes of a listed host that a selector means, as they are told to others. Pure. */
export const foundIn = (host: string, selector: Selector, list: HostList): Found => {
  const redact = redactor().text;
  const selected = selector.kind === 'successor' ? successorOf(selector, list, redact) : select(selector, list);
  const tell = candidateOf(redact, selected, selected.matches);
  const { matches, pick, likely, how } = selected;
  return {
    kind: 'found',
    host,
    selector,
    candidates: matches.slice(0, MOST).map(tell),
    total: matches.length,
    pick: pick === null ? null : tell(pick),
    likely: likely === null ? null : tell(likely),
    how,
    // A unit like `job@blue.service` would be taken for an address; its name is no secret.
    near: matches.length > 0 ? '' : selector.kind === 'name' ? redact(nearTo(selector, list)) : nearTo(selector, list),
    partly: [...list.partly],
  };
};

/** Where shells come from, and what ends the work before its time. */
export interface FindTools {
  /** Throws LookFailed. */
  readonly openShell: (host: string) => Promise<HostShell>;
  readonly signal?: AbortSignal;
}

/** Which processes of a host a selector means. Throws LookFailed: unknown host, unreachable, aborted. */
export const findProcesses = async (
  host: string,
  selector: Selector,
  { openShell, signal }: FindTools,
): Promise<Found> => {
  const shell = await openShell(host);
  const end = () => void shell.close();
  signal?.addEventListener('abort', end, { once: true });
  try {
    const list = await listProcesses(host, shell).catch((error: unknown) => {
      throw signal?.reason instanceof LookFailed ? signal.reason : error;
    });
    return foundIn(host, selector, list);
  } finally {
    signal?.removeEventListener('abort', end);
    await shell.close();
  }
};
