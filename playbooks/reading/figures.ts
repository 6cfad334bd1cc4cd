import type { Look, ReportFigures } from '../model/index.ts';
import { fds } from '../probes/fds.ts';
import { identify } from '../probes/identify.ts';
import { sample } from '../probes/sample.ts';
import { sockets } from '../probes/sockets.ts';

/** A window shorter than this says nothing of a rate. */
const LEAST_SECONDS = 0.2;
const KIB = 1024;

const tenths = (value: number): number => Math.round(value * 10) / 10;

/** What `identify` saw, at one moment. */
const atOnce = (look: Look): ReportFigures => {
  const seen = look.see(identify);
  if (!seen.seen) return {};
  const { memory, threads, fds: open, children, ageSeconds } = seen.data;
  return {
    rssKib: memory.rssKib,
    ...(memory.swapKib === null ? {} : { swapKib: memory.swapKib }),
    threads,
    ...(open === null ? {} : { fds: open.open }),
    ...(open?.softLimit == null ? {} : { fdLimit: open.softLimit }),
    children: children.length,
    ageSeconds,
  };
};

/** What the window of `sample` adds: rates, and how things stood at its end. */
const overWindow = (look: Look, before: ReportFigures): ReportFigures => {
  const seen = look.see(sample);
  if (!seen.seen) return {};
  const { process, seconds, threadsStarted, threadsEnded } = seen.data;
  const { io, rssKib, swapKib, fds: open } = process;
  const rates =
    seconds < LEAST_SECONDS
      ? {}
      : {
          cpuPercent: tenths((100 * (process.userSeconds + process.systemSeconds)) / seconds),
          majorFaultsPerSecond: tenths(Math.max(0, process.majorFaults) / seconds),
          ...(io === null
            ? {}
            : {
                readKibPerSecond: tenths(Math.max(0, io.readBytes) / KIB / seconds),
                writtenKibPerSecond: tenths(Math.max(0, io.writeBytes) / KIB / seconds),
              }),
        };
  return {
    ...rates,
    // A process that ended within the window has no memory at its end, which is nobody's figure.
    ...(rssKib.last > 0 ? { rssKib: rssKib.last, swapKib: swapKib.last } : {}),
    ...(before.threads === undefined ? {} : { threads: Math.max(1, before.threads + threadsStarted - threadsEnded) }),
    ...(open === null ? {} : { fds: open.last }),
  };
};

/** How many sockets it has; null when not all were seen. */
const socketsOf = (look: Look): number | null => {
  const counted = look.see(fds);
  if (counted.seen && counted.partly.length === 0)
    return counted.data.kinds.find(({ kind }) => kind === 'socket')?.last ?? 0;
  const listed = look.see(sockets);
  return listed.seen && listed.partly.length === 0 ? listed.data.sockets.length : null;
};

/** The figures of a process as far as a look saw them. Pure. */
export const figuresOf = (look: Look): ReportFigures => {
  const before = atOnce(look);
  const counted = look.see(fds);
  const open = counted.seen ? counted.data.counts.at(-1)?.open : undefined;
  const count = socketsOf(look);
  return {
    ...before,
    ...(open === undefined ? {} : { fds: open }),
    ...overWindow(look, before),
    ...(count === null ? {} : { sockets: count }),
  };
};
