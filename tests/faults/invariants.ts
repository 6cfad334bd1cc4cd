import type { SlackMessage } from '../../infra/sandbox/slack/types.ts';
import { shown } from '../support/bot.ts';
import { processState } from '../support/unhurt.ts';
import type { Asked } from './asking.ts';
import type { Host } from './hosts.ts';
import { FINAL_PARTS, markIn } from './marks.ts';
import type { Resident } from './processes.ts';

/** Something that must hold after a run, and where it did not. */
export interface Invariant {
  readonly name: string;
  /** What it was held of: 40 requests, 9 processes. */
  readonly of: string;
  /** One sentence each, with ids and what was seen. */
  readonly violations: readonly string[];
}

/** What became of the requests, for the table. */
export interface Outcomes {
  readonly reports: number;
  readonly failures: Readonly<Record<string, number>>;
  /** Answered by a sentence that the asker alone saw. */
  readonly toldOnly: number;
  /** Not taken, as the asker was told, or nobody can know whether it was. */
  readonly notTaken: number;
}

const UNFINISHED = /^Looking at /;
/** What an alert's look shows in the place of a report that another thread has. */
const ELSEWHERE = /where the report is|The same cause in the same process was found/;
/** What is said of processes that have ended; none of these programs ends while it is looked at. */
const SAID_GONE = /There is no process|it has ended|has ended|was reused by/;
const MOST_MIB = 700;

interface Marked {
  readonly message: SlackMessage;
  readonly id: string;
  readonly part: string;
}

const markedIn = (messages: readonly SlackMessage[]): Marked[] =>
  messages.flatMap((message) => {
    const mark = markIn(message);
    return mark === null ? [] : [{ message, id: mark.request_id, part: mark.part }];
  });

/** What is wrong with the answer to one look; empty when it has exactly one. */
const answerTroubles = (id: string, marked: readonly Marked[], taken: boolean, told: boolean): string[] => {
  const own = marked.filter((each) => each.id === id);
  const showing = own.filter(({ part }) => part === 'first' || part === 'look');
  const finals = own.filter(({ part }) => FINAL_PARTS.includes(part));
  const elsewhere = showing.some(({ message }) => ELSEWHERE.test(shown(message)));
  if (own.length === 0) {
    if (!taken || told) return [];
    return ['no thread and no answer'];
  }
  const troubles: string[] = [];
  if (showing.length > 1) troubles.push(`shown by ${showing.length} messages`);
  if (finals.length > 1) troubles.push(`${finals.length} answers: ${finals.map(({ part }) => part).join(', ')}`);
  if (finals.length === 0 && !elsewhere) troubles.push(`no answer, only ${own.map(({ part }) => part).join(', ')}`);
  for (const { message } of showing) {
    if (UNFINISHED.test(shown(message))) troubles.push(`left at "${shown(message).split('\n')[0]}"`);
  }
  return troubles;
};

/** Each request has exactly one answer in its thread, and no message was posted twice. Pure. */
export const answersOf = (asked: readonly Asked[], messages: readonly SlackMessage[]): Invariant[] => {
  const marked = markedIn(messages);
  const looks = asked.filter(({ way }) => way !== 'alert');
  const wrong = looks.flatMap(({ id, what, taken, told, way }) =>
    answerTroubles(id, marked, taken, told.length > 0).map((trouble) => `${id} (${way} ${what}): ${trouble}`),
  );
  const alerts = asked.filter(({ way }) => way === 'alert');
  const wrongAlerts = alerts.flatMap(({ id, what, taken }) => {
    const firsts = marked.filter((each) => each.id === id && each.part === 'first');
    const [first] = firsts;
    if (first === undefined) return taken ? [`${id} (alert ${what}): no thread`] : [];
    const inThread = marked.filter(({ message }) => message.thread_ts === first.message.ts);
    const ids = [...new Set(inThread.filter(({ part }) => part === 'look').map((each) => each.id))];
    const said = inThread.filter(({ part }) => FINAL_PARTS.includes(part));
    const troubles = ids.flatMap((each) => answerTroubles(each, inThread, true, false));
    if (firsts.length > 1) troubles.push(`${firsts.length} threads`);
    if (ids.length > 1) troubles.push(`${ids.length} looks`);
    if (ids.length === 0 && said.length === 0 && !/Nothing was looked at/.test(shown(first.message)))
      troubles.push('no look');
    return troubles.map((trouble) => `${id} (alert ${what}): ${trouble}`);
  });
  const times = new Map<string, number>();
  for (const { id, part, message } of marked) {
    const name = `${id} ${part} in ${message.channel}`;
    times.set(name, (times.get(name) ?? 0) + 1);
  }
  const doubled = [...times].filter(([, count]) => count > 1).map(([name, count]) => `${name}: ${count} times`);
  return [
    { name: 'One answer in its thread', of: `${looks.length} commands and follow-ups`, violations: wrong },
    { name: 'One thread with one answer', of: `${alerts.length} alerts`, violations: wrongAlerts },
    { name: 'No message posted twice', of: `${marked.length} messages`, violations: doubled },
  ];
};

/** Nothing is said of the programs that cannot be: all of them live and stay the same. Pure. */
export const truthOf = (messages: readonly SlackMessage[]): Invariant => {
  const failures = markedIn(messages).filter(({ part }) => part === 'failure');
  return {
    name: 'No living program is said to have gone',
    of: `${failures.length} sentences`,
    violations: failures
      .filter(({ message }) => SAID_GONE.test(shown(message)))
      .map(({ id, message }) => `${id}: ${shown(message).slice(0, 150)}`),
  };
};

/** What became of the requests. Pure. */
export const outcomesOf = (asked: readonly Asked[], messages: readonly SlackMessage[]): Outcomes => {
  const marked = markedIn(messages);
  const failures: Record<string, number> = {};
  for (const { part, message } of marked) {
    if (part !== 'failure') continue;
    // The sentence without what is of this host and process, so that the same ones are counted together.
    const sentence = shown(message).split('\n').join(' ').replace(/\d+/g, 'N').slice(0, 110);
    failures[sentence] = (failures[sentence] ?? 0) + 1;
  }
  const there = new Set(marked.map(({ id }) => id));
  const silent = asked.filter(({ id }) => !there.has(id));
  return {
    reports: marked.filter(({ part }) => part === 'report-1').length,
    failures,
    toldOnly: silent.filter(({ told }) => told.length > 0).length,
    notTaken: silent.filter(({ told, taken }) => told.length === 0 && !taken).length,
  };
};

/** The programs live, are the same processes, and nobody stops or traces them. */
export const unhurtOf = async (hosts: readonly Host[]): Promise<Invariant> => {
  const violations: string[] = [];
  const targets = hosts.flatMap((host) => host.targets.map((target) => ({ host, target })));
  for (const { host, target } of targets) {
    const name = `${target.file} (pid ${target.pid} on ${host.name})`;
    const now = await processState(target.pid).catch(() => null);
    if (now === null || now.startTime !== target.before.startTime) violations.push(`${name} has ended`);
    else {
      const threads = [...now.threads.values()];
      if (threads.some(({ letter }) => /[Tt]/.test(letter))) violations.push(`${name} is stopped`);
      if (threads.some(({ letter }) => /[ZX]/.test(letter))) violations.push(`${name} is dead`);
      const tracers = threads.map(({ tracer }) => tracer).filter((tracer) => tracer !== 0);
      if (tracers.length > 0) violations.push(`${name} is traced by ${tracers.join(', ')}`);
    }
  }
  return { name: 'Alive, not stopped, not traced', of: `${targets.length} programs`, violations };
};

/** Nothing of a look is left on a host. To be asked when no worker runs any more. */
export const leftOf = async (hosts: readonly Host[]): Promise<Invariant[]> => {
  const files = hosts.flatMap((host) => host.leftFiles().map((file) => `${host.name}: ${file}`));
  const processes = (
    await Promise.all(hosts.map(async (host) => (await host.leftProcesses()).map((each) => `${host.name}: ${each}`)))
  ).flat();
  const of = `${hosts.length} hosts`;
  return [
    { name: 'No temporary file, no unfinished core', of, violations: files },
    { name: 'No process of a look', of, violations: processes },
  ];
};

/** Nobody ended by itself, and nobody holds on to memory. */
export const sidesOf = (died: readonly string[], resident: readonly Resident[]): Invariant[] => [
  { name: 'None ended by itself or badly', of: `${resident.length} bots and workers`, violations: died },
  {
    name: `At most ${MOST_MIB} MiB resident`,
    of: `${resident.length} bots and workers`,
    violations: resident
      .filter(({ lastMib }) => lastMib > MOST_MIB)
      .map(
        ({ name, firstMib, lastMib }) =>
          `${name}: ${Math.round(firstMib)} MiB when it was up, ${Math.round(lastMib)} now`,
      ),
  },
];
