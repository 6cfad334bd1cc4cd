import { count, duration } from '../reading/text.ts';
import type { StraceData } from './strace.ts';

const MOST_NAMES = 15;
const MOST_WAITS = 10;
const MOST_ARGUMENTS = 90;

interface Row {
  name: string;
  calls: number;
  errors: number;
  seconds: number;
}

/** Calls by name: what was counted, or what the sample in full shows where there was no count. */
const rowsOf = ({ summary, detail }: StraceData): Row[] => {
  if (summary.calls.length > 0) return summary.calls.map((each) => ({ ...each }));
  const rows = new Map<string, Row>();
  for (const { name, errno, seconds } of detail.calls) {
    const row = rows.get(name) ?? { name, calls: 0, errors: 0, seconds: 0 };
    row.calls += 1;
    row.errors += errno === null ? 0 : 1;
    row.seconds += seconds ?? 0;
    rows.set(name, row);
  }
  return [...rows.values()];
};

/** A trace in short: which calls, how often and for how long, and those that had not returned at its end. Pure. */
export const straceInShort = (data: StraceData): readonly string[] => {
  const rows = rowsOf(data).sort((a, b) => b.calls - a.calls || b.seconds - a.seconds);
  const open = data.detail.calls.filter((call) => call.result === null && call.seconds === null);
  if (rows.length === 0 && open.length === 0) return [];
  const counted = data.summary.calls.length > 0 ? data.summary.seconds : data.detail.seconds;
  const head = `${count(data.attached.length, 'thread')} traced, calls within ${duration(counted)}:`;
  const lines = rows
    .slice(0, MOST_NAMES)
    .map(
      ({ name, calls, errors, seconds }) =>
        `${String(calls).padStart(8)}  ${name.padEnd(20)} ${errors === 0 ? '' : `${count(errors, 'error')}, `}${duration(seconds)} in all`,
    );
  const more = rows.length > MOST_NAMES ? [`          and ${rows.length - MOST_NAMES} others`] : [];
  const waits = open
    .slice(0, MOST_WAITS)
    .map(({ tid, name, args }) => `thread ${tid} is in ${name}(${args.slice(0, MOST_ARGUMENTS)}`);
  const left = open.length > MOST_WAITS ? [`and ${open.length - MOST_WAITS} more threads in a call`] : [];
  return [head, ...lines, ...more, ...waits, ...left];
};
