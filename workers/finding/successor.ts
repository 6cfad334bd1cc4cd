import type { Selector } from '../../playbooks/model/index.ts';
import { list } from '../../playbooks/reading/text.ts';
import type { HostList, HostProcess } from './list.parse.ts';
import type { Selected } from './select.ts';

type Successor = Extract<Selector, { kind: 'successor' }>;

/** A report's command line has secrets taken out and may be longer than what the lister read. */
export const sameCommand = (
  told: string,
  process: Pick<HostProcess, 'command' | 'cut'>,
  redact: (text: string) => string,
): boolean => {
  const shape = (text: string) => text.replace(/\[redacted-\d+\]/g, '[redacted]');
  const [known, here] = [shape(redact(told)), shape(redact(process.command))];
  return process.cut ? known.startsWith(here.slice(0, -40)) : known === here;
};

/** Units that stand for a program. A session or a user's slice holds all that somebody started. */
const isProgram = (unit: string): boolean =>
  /\.service$/.test(unit)
    ? !/^user@\d+\.service$/.test(unit)
    : /\.scope$/.test(unit) && !/^(?:session-|init\.)/.test(unit);

/** The unit that tells one program from others; null when it is in none. */
export const programUnit = (units: readonly string[]): string | null => units.filter(isProgram).at(-1) ?? null;

/**
 * The process that took the place of one that was looked at: that one itself, else one of its unit, its ports or its
 * command line, strongest tie first, younger than the lost one where there is one. Pure.
 */
export const successorOf = (
  wanted: Successor,
  { processes, ours }: HostList,
  redact: (text: string) => string = (text) => text,
): Selected => {
  const itself = processes.find(({ pid, startTime }) => pid === wanted.pid && startTime === wanted.startTime);
  if (itself !== undefined) {
    const how = 'It is the same process: it has not been restarted.';
    return { matches: [itself], master: null, pick: itself, likely: itself, how };
  }
  const same = (process: HostProcess) => !ours.has(process.pid) && sameCommand(wanted.command, process, redact);
  const inUnit = (process: HostProcess) => wanted.unit !== undefined && programUnit(process.units) === wanted.unit;
  const onPort = (process: HostProcess) => process.ports.some((port) => wanted.ports?.includes(port));
  const ties: { test: (process: HostProcess) => boolean; how: string }[] = [
    { test: (each) => inUnit(each) && same(each), how: `of the unit ${wanted.unit} and has the same command line` },
    { test: (each) => onPort(each) && same(each), how: 'listens on its port and has the same command line' },
    { test: inUnit, how: `of the unit ${wanted.unit}` },
    { test: onPort, how: `listens on its port ${list((wanted.ports ?? []).slice(0, 4).map(String), 'or')}` },
    { test: same, how: 'has the same command line' },
  ];
  const younger = (process: HostProcess) => BigInt(process.startTime) >= BigInt(wanted.startTime);
  for (const fresh of [true, false]) {
    for (const { test, how } of ties) {
      const found = processes.filter((each) => test(each) && (!fresh || younger(each)));
      if (found.length === 0) continue;
      const matches = found.sort((a, b) => b.cpuPercent - a.cpuPercent || b.rssKib - a.rssKib || a.pid - b.pid);
      const pick = matches[0] ?? null;
      const told = how.startsWith('of ') ? `is ${how}` : how;
      const among = matches.length === 1 ? '' : `; ${matches.length} do, and of these it does the most`;
      const old = fresh ? '' : ', but it ran before already';
      return {
        matches,
        master: null,
        pick,
        likely: pick,
        how: `Process ${wanted.pid} has gone; this one ${told}${old}${among}.`,
      };
    }
  }
  return { matches: [], master: null, pick: null, likely: null, how: '' };
};
