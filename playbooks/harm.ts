import type { Impact, Playbook, Probe, StepContext } from './model/index.ts';
import { count, duration, kib, shellCommand } from './reading/text.ts';

/** A step of a playbook that the process may notice. */
export interface HarmfulStep {
  readonly probe: string;
  readonly title: string;
  readonly impacts: readonly Impact[];
  /** It is run whatever is found; else only when some cause wants it. */
  readonly always: boolean;
  /** Programs of the host that it uses, in the order of preference. */
  readonly tools: readonly string[];
  /** Its command as far as it is known before the process is: what is not known stands in capitals. */
  readonly command: (pid: number) => string;
}

/** A playbook as those who offer it need it. */
export interface PlaybookSummary {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly impacts: readonly Impact[];
  readonly harmful: readonly HarmfulStep[];
}

const KEEP_FOLDER = 'KEEP-FOLDER';

const commandShape = (probe: Probe, options: Readonly<Record<string, unknown>>, windowSeconds: number, pid: number) => {
  const context: StepContext = {
    target: { host: 'host', pid, startTime: 'START-TIME' },
    windowSeconds,
    known: null,
    options,
    keepFolder: KEEP_FOLDER,
  };
  return shellCommand(probe.command(context).argv.map((word) => word.replace(/\{script:([^}]+)\}/g, '$1')));
};

/** What a playbook is and may do to a process, from its steps. Pure. */
export const summaryOf = (playbook: Playbook, probes: ReadonlyMap<string, Probe>): PlaybookSummary => {
  const steps = playbook.steps.flatMap((step) => {
    const probe = probes.get(step.probe);
    return probe === undefined ? [] : [{ step, probe }];
  });
  const { id, title, description } = playbook;
  return {
    id,
    title,
    description,
    impacts: [...new Set(steps.flatMap(({ probe }) => probe.impacts))],
    harmful: steps
      .filter(({ probe }) => probe.impacts.some((impact) => impact !== 'none'))
      .map(({ step, probe }) => ({
        probe: probe.id,
        title: probe.title,
        impacts: probe.impacts,
        always: (step.when ?? (probe.phase <= 2 ? 'always' : 'wanted')) === 'always',
        tools: (probe.needs.anyOf ?? []).flat(),
        command: (pid) => commandShape(probe, probe.options.parse(step.options), playbook.windowSeconds, pid),
      })),
  };
};

/** What is known of the process before: from its last look. */
export interface KnownProcess {
  readonly rssKib: number;
  readonly swapKib?: number | undefined;
  readonly threads: number;
}

/** Seconds that something is expected to take. */
interface Span {
  readonly from: number;
  readonly to: number;
}

const GIB_IN_KIB = 1024 * 1024;
/** The process that the stalls of debuggers were measured on. */
const MEASURED_THREADS = 22;
/** The address space that glibc reserves for each thread's arena (malloc/arena.c, HEAP_MAX_SIZE); gdb writes it too. */
const ARENA_GIB = 1 / 16;

/**
 * How long a step keeps the process from running, by the figures measured for it: a core 1.2 to 8 s for each GiB that is
 * resident, and about 1.2 s for each GiB of the threads' arenas (1.6 s were measured for 22 threads with little memory); py-bt
 * 0.3 to 0.45 s, and C stacks 0.01 s by eu-stack to 0.13 s by gdb, for 22 threads, which grows with them. Null: not known.
 */
const stallOf = (probe: string, { rssKib, threads }: KnownProcess): Span | null => {
  const many = Math.max(1, threads / MEASURED_THREADS);
  switch (probe) {
    case 'gcore': {
      const resident = rssKib / GIB_IN_KIB;
      return { from: 0.05 + 1.2 * resident, to: 0.3 + 8 * resident + 1.2 * threads * ARENA_GIB };
    }
    case 'py-bt':
      // It gives up the rest of the threads after five seconds of stop.
      return { from: Math.min(5, 0.3 * many), to: Math.min(5, 0.45 * many) };
    case 'native-motion':
      // Some hundred moments of 0.1 to 0.6 ms each.
      return { from: 0.03, to: 0.2 };
    case 'native-stacks':
      return { from: 0.01 * many, to: 0.13 * many };
    default:
      return null;
  }
};

const spanWords = ({ from, to }: Span): string =>
  duration(from) === duration(to) ? `about ${duration(to)}` : `${duration(from)} to ${duration(to)}`;

/** What a person who is to say yes is told of what it will cost, a sentence each. */
export interface ExpectedHarm {
  readonly stall: string;
  /** Null: nothing is written to the disk of the host. */
  readonly disk: string | null;
  /** Null: it has not been seen to end a process. */
  readonly death: string | null;
}

const UNKNOWN = 'unknown until the process has been identified';

/**
 * What steps are expected to cost a process. `known` is null when no look has seen the process yet: then only rates are told.
 * Pure. The figures are those that were measured for each probe, and differ with the machine.
 */
export const expectedHarm = (
  steps: readonly Pick<HarmfulStep, 'probe' | 'impacts'>[],
  known: KnownProcess | null,
): ExpectedHarm => {
  const stops = steps.filter(({ impacts }) => impacts.includes('stops'));
  const spans = known === null ? [] : stops.map(({ probe }) => stallOf(probe, known));
  const sums = spans.reduce<Span | null>(
    (sum, span) => (sum === null || span === null ? null : { from: sum.from + span.from, to: sum.to + span.to }),
    { from: 0, to: 0 },
  );
  const takesCore = steps.some(({ probe }) => probe === 'gcore');
  const rates = takesCore ? '; a core stops a process for 1.2 to 8 s for each GiB that is resident' : '';
  const stall =
    stops.length === 0
      ? 'It is not stopped; it runs slower for the window.'
      : known === null || sums === null
        ? `How long it is stopped is ${UNKNOWN}${rates}.`
        : `It is expected to be stopped for ${spanWords(sums)} (${kib(known.rssKib)} resident and ${count(known.threads, 'thread')} in its last look, by measured rates).`;
  const disk = !steps.some(({ impacts }) => impacts.includes('writes-disk'))
    ? null
    : known === null || !takesCore
      ? `How much it writes to the disk of the host is ${UNKNOWN}${takesCore ? '; a core is about as large as what is resident' : ''}.`
      : `It takes about ${kib(known.rssKib + (known.swapKib ?? 0))} of the disk of the host; the file may look larger, for memory that was never touched takes no room in it.`;
  const death = !steps.some(({ impacts }) => impacts.includes('risks-death'))
    ? null
    : steps.some(({ probe }) => probe === 'ltrace')
      ? 'It may end the process: one with several threads dies of ltrace each time and is refused, one with a single thread survived each time.'
      : steps.some(({ probe }) => probe === 'pyrasite')
        ? 'It may end the process: a script runs in it and asks each of its objects for its size. One that spins, is blocked or is idle is refused before.'
        : 'It may end the process.';
  return { stall, disk, death };
};
