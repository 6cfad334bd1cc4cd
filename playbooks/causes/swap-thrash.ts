import { defineCause, type FindingDraft, type Fix, type Look, type Quote, type Verdict } from '../model/index.ts';
import { type MemoryData, memory } from '../probes/memory.ts';
import { memoryView, unitOf } from '../reading/memory.ts';
import { bytes, count, kib, percent, shellQuote } from '../reading/text.ts';

/** Major faults a second from which on a process mostly waits for its own memory: each takes a read from a disk. */
const FAULTS_A_SECOND = 15;
const FAULTS_LEAST = 20;
/** Less than this in swap, in KiB, is what every idle host has there. */
const SWAPPED_LEAST = 4 * 1024;

type Reading = MemoryData['begin'];

/** What the window saw of faults, swap and pressure. */
interface Seen {
  readonly data: MemoryData;
  readonly end: Reading;
  readonly faults: number;
  readonly perSecond: number;
  /** Pages that the whole host read from swap meanwhile; null where the kernel does not tell. */
  readonly pagesIn: number | null;
  readonly swappedKib: number;
  /** Share of the window in which all tasks waited for memory, of its control group or else of the host; null: unknown. */
  readonly stalled: number | null;
}

const seenOf = (data: MemoryData): Seen | null => {
  const { begin, end, seconds } = data;
  if (end === null || begin.faults === null || end.faults === null || seconds < 0.4) return null;
  const faults = end.faults.major - begin.faults.major;
  const pressure = (of: Reading) => of.groupPressure ?? of.pressure;
  const before = pressure(begin);
  const after = pressure(end);
  const stalled =
    before === null || after === null
      ? null
      : ((after.fullUs ?? after.someUs) - (before.fullUs ?? before.someUs)) / 1e6 / seconds;
  return {
    data,
    end,
    faults,
    perSecond: faults / seconds,
    pagesIn: begin.host === null || end.host === null ? null : end.host.pagesIn - begin.host.pagesIn,
    // What was in swap at the beginning may be back by the end.
    swappedKib: Math.max(begin.counters.swappedKib ?? 0, end.counters.swappedKib ?? 0),
    stalled,
  };
};

/** How full the limit of its control group is, 0 to 1; null without one. */
const filled = (end: Reading): number | null => {
  const { group } = end;
  if (group === null || group.limitBytes === null || group.usedBytes === null || group.limitBytes <= 0) return null;
  return group.usedBytes / group.limitBytes;
};

const fixesOf = (look: Look, seen: Seen): Fix[] => {
  const { end, swappedKib } = seen;
  const unit = unitOf(look);
  const need = kib((end.counters.residentKib ?? 0) + swappedKib);
  const limit = end.group?.limitBytes ?? null;
  const full = filled(end);
  return [
    full !== null && full > 0.85 && limit !== null
      ? {
          title: `Raise the memory limit of its control group: ${bytes(limit)}, of which ${percent(Math.min(1, full))} are used`,
          detail: `The process needs about ${need} (resident and in swap), and the limit pushes a part of it out over and over. The host has ${kib(end.hostMemory?.availableKib ?? 0)} available.`,
          code:
            unit === null
              ? 'cat /proc/PID/cgroup    # then the limit in memory.max (or memory.limit_in_bytes) of that group, or of the container'.replace(
                  'PID',
                  String(look.target.pid),
                )
              : `systemctl set-property ${shellQuote(unit)} MemoryHigh=infinity MemoryMax=${Math.ceil(((end.counters.residentKib + swappedKib) * 1.5) / 1024)}M\nsystemctl show ${shellQuote(unit)} -p MemoryCurrent,MemoryMax,MemorySwapCurrent`,
        }
      : {
          title: 'Give the host back the memory that it lacks: fewer workers, or more memory',
          detail: `The process needs about ${need} (resident and in swap); the host has ${kib(end.hostMemory?.availableKib ?? 0)} available. Who else holds memory and swap:`,
          code: 'ps -eo pid,rss,args --sort=-rss | head\ngrep -H VmSwap /proc/[0-9]*/status | sort -k2 -n -r | head',
        },
    {
      title: 'Make the process need less of it at a time',
      detail:
        'What it walks over again and again does not fit into memory: work on parts that fit, stream instead of loading all, or drop what is kept and seldom read. The playbook `memory` says what the memory is.',
    },
    {
      title: 'Verify: major faults stop',
      detail: 'Once all that is in use fits, the third number from the left hardly moves any more.',
      code: `ps -o pid,min_flt,maj_flt,rss -p ${look.target.pid}; sleep 5; ps -o pid,min_flt,maj_flt,rss -p ${look.target.pid}\nvmstat 1 5    # columns si and so`,
    },
  ];
};

const quotesOf = (look: Look, evidenceId: string, { data, end }: Seen): Quote[] => {
  const lines = [
    data.begin.faults?.at,
    end.faults?.at,
    data.begin.host?.at,
    end.host?.at,
    end.counters.at,
    end.group === null || end.group.limitBytes === null ? undefined : end.group.at,
    (end.groupPressure ?? end.pressure)?.at,
  ];
  return lines.flatMap((line) => (line === undefined ? [] : [look.quote(evidenceId, line)]));
};

const draftOf = (look: Look, evidenceId: string, seen: Seen, text: string): FindingDraft => {
  const { faults, perSecond, pagesIn, swappedKib, stalled, end, data } = seen;
  const swapSeen = pagesIn !== null && pagesIn >= faults * 0.5;
  const confidence = swapSeen ? 0.94 : pagesIn === null ? 0.75 : 0.4;
  const full = filled(end);
  const why =
    full !== null && full > 0.85
      ? `Its control group is at ${percent(Math.min(1, full))} of its memory limit, so that the kernel pushes out what the process needs next.`
      : `The host has ${kib(end.hostMemory?.availableKib ?? 0)} of ${kib(end.hostMemory?.totalKib ?? 0)} available.`;
  const waits =
    stalled === null || stalled < 0.02
      ? ''
      : ` For ${percent(Math.min(1, stalled))} of the window all tasks ${end.groupPressure === null ? 'of the host' : 'of its group'} waited for memory.`;
  return {
    confidence,
    title: `It waits for its own memory to come back from swap: ${Math.round(perSecond)} major faults a second, ${kib(swappedKib)} in swap`,
    summary:
      `In ${data.seconds.toFixed(1)} s it had ${count(faults, 'page fault')} that waited for a disk${pagesIn === null ? '' : `, while the host read ${count(pagesIn, 'page')} from swap`}. ` +
      `${why}${waits} ${text}.` +
      (confidence >= 0.9 ? '' : ' Inferred: that these faults were for pages in swap, and not for files.'),
    evidence: quotesOf(look, evidenceId, seen),
    fixes: fixesOf(look, seen),
  };
};

const judge = (look: Look): Verdict => {
  const view = memoryView(look);
  if (view === null) return { verdict: 'cannot-tell', why: 'its memory was not read', wants: [memory.id] };
  const { data, evidenceId } = view.memory;
  const seen = seenOf(data);
  if (seen === null) return { verdict: 'cannot-tell', why: 'its page faults were not counted over the window' };
  if (seen.faults < FAULTS_LEAST || seen.perSecond < FAULTS_A_SECOND) {
    const swapped = seen.swappedKib < SWAPPED_LEAST ? '' : `; ${kib(seen.swappedKib)} of it are in swap and left there`;
    return { verdict: 'clear', why: `it had ${count(seen.faults, 'major page fault')} in the window${swapped}` };
  }
  if (seen.swappedKib < SWAPPED_LEAST) {
    return {
      verdict: 'clear',
      why: `its ${count(seen.faults, 'major page fault')} were for files: nothing of it is in swap`,
    };
  }
  return { verdict: 'fires', findings: [draftOf(look, evidenceId, seen, view.text)] };
};

/** The process does not fit into memory, and waits for pages to come back from swap. */
export const swapThrash = defineCause({
  id: 'swap-thrash',
  title: 'It waits for its own memory to come back from swap',
  needs: [memory],
  explains: ['io-stall'],
  judge,
});
