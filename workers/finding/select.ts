import { type Selector, selectorText } from '../../playbooks/model/index.ts';
import { count, duration, kib, list } from '../../playbooks/reading/text.ts';
import { byContainer, byPod } from './contained.ts';
import { globTest } from './glob.ts';
import type { HostList, HostProcess } from './list.parse.ts';
import { successorOf } from './successor.ts';

/** The processes that a selector means, and why. */
export interface Selected {
  /** Likeliest first. */
  readonly matches: readonly HostProcess[];
  readonly master: HostProcess | null;
  /** Beyond doubt the one that is meant. */
  readonly pick: HostProcess | null;
  /** The one to take when nobody can be asked. */
  readonly likely: HostProcess | null;
  readonly how: string;
}

/** Programs that only start another one and wait for it: never the one that is meant while that one runs. */
const STARTERS = new Set(
  (
    'sh bash dash ash zsh ksh busybox sudo su doas runuser setpriv timeout nohup env nice ionice setsid stdbuf script ' +
    'tini dumb-init docker-init catatonit s6-svscan s6-supervise runsv runsvdir strace ltrace watch xargs flock'
  ).split(' '),
);

const isStarter = (process: HostProcess): boolean =>
  STARTERS.has(process.name) || STARTERS.has(process.programs[0] ?? '');

/** Whether `process` descends from `from`, in this list. */
const descends = (process: HostProcess, from: HostProcess, byPid: ReadonlyMap<number, HostProcess>): boolean => {
  for (
    let at = byPid.get(process.parent), steps = 0;
    at !== undefined && steps < 64;
    at = byPid.get(at.parent), steps += 1
  )
    if (at.pid === from.pid) return true;
  return false;
};

/** Without those that only started another one of them. */
const withoutStarters = (matches: readonly HostProcess[], { processes }: HostList): readonly HostProcess[] => {
  if (matches.length < 2 || !matches.some(isStarter)) return matches;
  const byPid = new Map(processes.map((each) => [each.pid, each]));
  const real = matches.filter(
    (each) => !(isStarter(each) && matches.some((other) => !isStarter(other) && descends(other, each, byPid))),
  );
  return real.length === 0 ? matches : real;
};

/** The tests of a name, strictest first: the command's or the script's name, then any part of the command line. */
const byName = (pattern: string, all: HostList): readonly HostProcess[] => {
  const whole = globTest(pattern);
  const named = all.processes.filter((each) => whole(each.name) || each.programs.some(whole));
  if (named.length > 0) return named;
  const part = globTest(`*${pattern}*`);
  return withoutStarters(
    all.processes.filter((each) => part(each.command) && !all.ours.has(each.pid)),
    all,
  );
};

/** Units by their name with or without `.service`, else as a glob, else instances of a template. */
const byUnit = (name: string, all: HostList): readonly HostProcess[] => {
  const wanted = /\.(?:service|scope|slice)$/.test(name) ? name : `${name}.service`;
  const tests: ((unit: string) => boolean)[] = [(unit) => unit === wanted];
  if (/[*?]/.test(name)) tests.push(globTest(wanted), globTest(name));
  const template = wanted.replace(/@?\.service$/, '@');
  tests.push((unit) => unit.startsWith(template) && unit.endsWith('.service'));
  for (const test of tests) {
    const found = all.processes.filter(({ units }) => units.some(test));
    if (found.length > 0) return withoutStarters(found, all);
  }
  return [];
};

/** The one from which all others descend. */
const masterOf = (matches: readonly HostProcess[], { processes }: HostList): HostProcess | null => {
  if (matches.length < 2) return null;
  const byPid = new Map(processes.map((each) => [each.pid, each]));
  return matches.find((each) => matches.every((other) => other === each || descends(other, each, byPid))) ?? null;
};

const busier = (a: HostProcess, b: HostProcess): number =>
  // A difference that one clock tick makes is none.
  Math.abs(a.cpuPercent - b.cpuPercent) > 3 ? b.cpuPercent - a.cpuPercent : b.rssKib - a.rssKib || a.pid - b.pid;

const byCpu = (a: HostProcess, b: HostProcess): number => b.cpuPercent - a.cpuPercent || b.rssKib - a.rssKib;
const TOP: Record<'cpu' | 'rss' | 'fds', (a: HostProcess, b: HostProcess) => number> = {
  cpu: byCpu,
  rss: (a, b) => b.rssKib - a.rssKib,
  fds: (a, b) => (b.fds ?? -1) - (a.fds ?? -1),
};

const top = (by: 'cpu' | 'rss' | 'fds', { processes, partly }: HostList): Selected => {
  const matches = [...processes].sort(TOP[by]);
  const pick = matches[0] ?? null;
  const measured = {
    cpu: `${pick?.cpuPercent ?? 0} % of one CPU`,
    rss: `${kib(pick?.rssKib ?? 0)} resident`,
    fds: count(pick?.fds ?? 0, 'open descriptor'),
  }[by];
  const what = { cpu: 'uses the most CPU', rss: 'holds the most memory', fds: 'has the most open descriptors' }[by];
  const seen = by === 'fds' && partly.length > 0 ? ' that can be seen into' : '';
  const how = `Of ${count(processes.length, 'process', 'processes')}${seen} it ${what}: ${measured}.`;
  return { matches, master: null, pick, likely: pick, how };
};

/** What a match has in common with the selector. */
const because = (selector: Selector): string => {
  switch (selector.kind) {
    case 'unit':
      return `belongs to the unit ${selector.name}`;
    case 'name':
      return `is called ${selector.pattern}`;
    case 'port':
      return `listens on port ${selector.port}`;
    case 'container':
      return selector.pid === undefined
        ? `runs in the container ${selector.id}`
        : `is ${selector.pid} inside the container ${selector.id}`;
    case 'pod':
      return `runs in the pod ${selectorText(selector).slice('pod:'.length)}`;
    default:
      return 'is meant';
  }
};

/** The processes of a host that a selector means. Pure. */
export const select = (selector: Selector, all: HostList): Selected => {
  const { processes } = all;
  switch (selector.kind) {
    case 'top':
      return top(selector.by, all);
    case 'successor':
      return successorOf(selector, all);
    case 'pid': {
      const pick = processes.find(({ pid }) => pid === selector.pid) ?? null;
      return { matches: pick === null ? [] : [pick], master: null, pick, likely: pick, how: '' };
    }
    default:
      return several(selector, all, matching(selector, all));
  }
};

type ByKind = Exclude<Selector, { kind: 'top' | 'successor' | 'pid' }>;

const matching = (selector: ByKind, all: HostList): readonly HostProcess[] => {
  switch (selector.kind) {
    case 'unit':
      return byUnit(selector.name, all);
    case 'name':
      return byName(selector.pattern, all);
    case 'port':
      return all.processes.filter(({ ports }) => ports.includes(selector.port));
    case 'container':
      return withoutStarters(byContainer(selector.id, selector.pid, all), all);
    case 'pod':
      return withoutStarters(byPod(selector, all), all);
  }
};

/** One match is picked; of several a person picks, a master first, and without a person the busiest that is no master. */
const several = (selector: ByKind, all: HostList, found: readonly HostProcess[]): Selected => {
  const master = masterOf(found, all);
  const rest = found.filter((each) => each !== master).sort(busier);
  const matches = master === null ? rest : [master, ...rest];
  const only = matches.length === 1 ? (matches[0] ?? null) : null;
  const likely = only ?? rest[0] ?? null;
  const why = because(selector);
  const how =
    only !== null
      ? `It is the only process that ${why}.`
      : likely === null
        ? ''
        : `${list([`${count(matches.length, 'process', 'processes')} ${why.replace(/^\w+/, (verb) => PLURAL[verb] ?? verb)}`])}; of these ${master === null ? '' : 'workers '}it does the most (${likely.cpuPercent} % of one CPU, ${kib(likely.rssKib)}, ${duration(likely.ageSeconds)} old).`;
  return { matches, master, pick: only, likely, how };
};

const PLURAL: Readonly<Record<string, string>> = { belongs: 'belong', is: 'are', listens: 'listen', runs: 'run' };
