import { readFileSync } from 'node:fs';
import { type Found, LookFailed, type Request, type Target } from '../../playbooks/model/index.ts';
import type { IdentifyData } from '../../playbooks/probes/identify.ts';
import { type KernelEvent, kernelLog } from '../../playbooks/probes/kernel-log.ts';
import { faultPlace } from '../../playbooks/reading/crash-lines.ts';
import { signalName } from '../../playbooks/reading/signals.ts';
import { clip, code, kib, utc } from '../../playbooks/reading/text.ts';
import { readProbeScript } from '../../playbooks/registry.ts';
import { foundIn, listProcesses } from '../finding/find.ts';
import { unitsOf } from '../finding/list.names.ts';
import { programUnit } from '../finding/successor.ts';
import type { HostShell } from '../ssh/shell.ts';
import { type EndFacts, parseEnd } from './end.parse.ts';

const script = { name: 'end.sh', content: readFileSync(new URL('end.sh', import.meta.url), 'utf8') };

/** The commands in it are bounded themselves, to sixteen seconds in all. */
const SECONDS = 18;

/** USER_HZ: clock ticks a second of start times, on every architecture that Linux runs on here. */
const TICKS = 100;
/** The kernel's log may be this far from the wall clock. */
const CLOCKS_SECONDS = 5;
/** Without its start time a process is taken for the one of the log only when that is not long ago. */
const LATELY_SECONDS = 15 * 60;

/** The process that has gone, as far as the asker knew it. */
type Gone = Pick<Request, 'host' | 'pid' | 'startTime' | 'was'>;

const run = (shell: HostShell, id: string, argv: readonly string[], scripts: { name: string; content: string }[]) =>
  shell.run({ id, argv, scripts, seconds: SECONDS, bytes: 500_000, endWith: 'TERM', ptraces: false, target: null });

/** The newest line of the kernel's log about this process; null when there is none or the log may not be read. */
const kernelEvent = async (shell: HostShell, { pid, startTime }: Gone): Promise<KernelEvent | null> => {
  const name = 'kernel-log.sh';
  const result = await run(
    shell,
    'end-kernel-log',
    ['sh', `{script:${name}}`],
    [{ name, content: await readProbeScript(name) }],
  );
  const evidence = { id: 'E1', probe: kernelLog.id, command: '', ...result };
  const target = { host: 'gone', pid, startTime: '0' };
  const step = { target, windowSeconds: 1, known: null, options: {}, keepFolder: '/' };
  const parsed = kernelLog.parse(evidence, step);
  if (!parsed.ok) return null;
  const event = parsed.data.events.findLast((each) => each.pid === pid && each.kind !== 'hung-task') ?? null;
  // Process ids come round: what happened before it started happened to another one.
  const booted = Number(/^booted at: (\d{1,12})$/m.exec(new TextDecoder().decode(result.stdout))?.[1] ?? Number.NaN);
  const started = startTime === undefined ? Number.NaN : booted + Number(startTime) / TICKS;
  return event?.time != null && event.time < started - CLOCKS_SECONDS ? null : event;
};

const at = (time: number | null): string => (time === null ? '' : ` at ${utc(Math.floor(time))}`);

const endWords = ({ code: kind, status }: { readonly code: number; readonly status: number }): string =>
  kind === 1
    ? `exited with status ${status}`
    : `was ended by ${signalName(status)}${kind === 3 ? ', with a core' : ''}`;

/** How it ended, strongest source first; empty when nothing says. */
const howItEnded = (facts: EndFacts, event: KernelEvent | null): string => {
  const core =
    facts.core === null
      ? ''
      : `; a core was kept${facts.core.file === null ? ' by systemd-coredump' : `: ${code(facts.core.file)}`}`;
  if (event?.kind === 'oom-kill') {
    const limit =
      event.scope === 'cgroup'
        ? 'because its control group was at its memory limit'
        : 'because the host was out of memory';
    return `the kernel killed it${at(event.time)} ${limit} (${code(event.comm, 20)} with ${kib(event.anonRssKib)} of its own)`;
  }
  if (event?.kind === 'segfault') {
    const place = faultPlace(event.detail);
    const kind =
      /^(?:segfault|general protection|trap [a-z0-9 ]{1,30}?(?= ip:)|unhandled)/.exec(event.detail)?.[0] ?? 'fault';
    return `it crashed${at(event.time)} (${kind}${place === null ? '' : ` in ${code(place.name, 80)}`}, by the kernel’s log)${core}`;
  }
  if (facts.core !== null && facts.core.signal !== null)
    return `it crashed by ${facts.core.signal}${at(facts.core.time)}${core}`;
  const { service, exited } = facts;
  if (service !== null) {
    const result =
      service.result === 'success' || service.result === '' ? '' : ` (systemd: ${code(service.result, 30)})`;
    const when = service.at === '' ? '' : ` at ${clip(service.at, 40)}`;
    return `as the main process of ${code(service.unit, 80)} it ${endWords(service)}${when}${result}${core}`;
  }
  if (exited !== null)
    return `the last main process of ${code(exited.unit, 80)} ${endWords(exited)}${at(exited.time)}${core}`;
  return facts.core === null ? '' : `it left a core: ${code(facts.core.file ?? 'kept by systemd-coredump')}`;
};

/** What runs in its place now, if anything that names it is known. */
const successor = async (
  shell: HostShell,
  gone: Gone,
  facts: EndFacts,
): Promise<Extract<Found, { kind: 'found' }> | null> => {
  const unit = gone.was?.unit ?? programUnit(facts.unit === null ? [] : [facts.unit]) ?? undefined;
  const command = gone.was?.command ?? facts.command ?? '';
  if (unit === undefined && command === '') return null;
  const selector = {
    kind: 'successor',
    pid: gone.pid,
    // Without it every process of the unit is young enough.
    startTime: gone.startTime ?? '0',
    command: command.slice(0, 20_000),
    ...(unit === undefined ? {} : { unit }),
    ...(gone.was?.ports === undefined ? {} : { ports: gone.was.ports }),
  } as const;
  const found = foundIn(gone.host, selector, await listProcesses(gone.host, shell));
  return found.kind === 'found' ? found : null;
};

/**
 * The failure of a look at a process that is not there any more, with what its host knows of its end and of what runs in
 * its place. Other failures stay as they are, and so does this one when the host tells nothing. Never throws.
 */
export const toldOfEnd = async (error: unknown, gone: Gone, shell: HostShell): Promise<unknown> => {
  if (!(error instanceof LookFailed)) return error;
  if (error.code !== 'no-such-process' && error.code !== 'process-replaced') return error;
  try {
    const [result, event] = await Promise.all([
      run(shell, 'end-of', ['sh', '{script:end.sh}', String(gone.pid), gone.was?.unit ?? ''], [script]),
      kernelEvent(shell, gone),
    ]);
    const facts = parseEnd(result.stdout, gone.pid);
    const ended = howItEnded(facts, event);
    const old = gone.startTime === undefined && event?.time != null && Date.now() / 1_000 - event.time > LATELY_SECONDS;
    const how = old ? `of the last process of this id that its log knows it says that ${ended}` : ended;
    const found = await successor(shell, gone, facts).catch(() => null);
    const pick = found?.pick ?? null;
    if (how === '' && pick === null) return error;
    const where = `Process ${gone.pid} on ${gone.host}`;
    const first =
      error.code === 'process-replaced'
        ? `${where} is not the one that was meant: that one has ended${how === '' ? '' : `: ${how}`}.`
        : `${where} has gone${how === '' ? '' : `: ${how}`}.`;
    if (pick === null) return new LookFailed(error.code, first, error);
    const ofUnit = pick.unit !== null && pick.unit === (gone.was?.unit ?? facts.unit);
    const tie = ofUnit ? `of ${code(pick.unit ?? '', 80)}` : 'with the same command line or port';
    const younger = gone.startTime === undefined || BigInt(pick.startTime) >= BigInt(gone.startTime);
    const there = younger ? 'In its place runs' : 'There is still, from before,';
    const sentence = `${first} ${there} process ${pick.pid}, ${tie}: ${code(pick.command, 80)}.`;
    const { pid, startTime } = pick;
    return new LookFailed(error.code, sentence, error, { pid, startTime });
  } catch {
    return error;
  }
};

/** What its host knows of the end of a process that ended while it was looked at; null when nothing. Never throws. */
export const endedMeanwhile = async (
  { target, process }: { readonly target: Target; readonly process: IdentifyData | null },
  openShell: () => Promise<HostShell>,
): Promise<string | null> => {
  // The look's own shell has been left by now.
  const shell = await openShell().catch(() => null);
  if (shell === null) return null;
  const unit = programUnit(unitsOf(process?.cgroup?.path ?? ''));
  const was =
    process === null ? undefined : { command: process.command.slice(0, 20_000), ...(unit === null ? {} : { unit }) };
  const gone = new LookFailed('no-such-process', '');
  const told = await toldOfEnd(gone, { ...target, was }, shell).finally(() => shell.close());
  return told instanceof LookFailed && told !== gone ? told.message : null;
};
