import type { Look, PythonFrame, PythonStack } from './model/index.ts';
import { nativeStacks } from './probes/native-stacks.ts';
import { pyStacks } from './probes/py-stacks.ts';
import type { TurnGroup } from './probes/py-stacks.turns.ts';
import { type SampleData, type SampledThread, sample } from './probes/sample.ts';
import { strace } from './probes/strace.ts';
import { type PythonThreadView, pythonThreads } from './reading/python.ts';
import { cpuShare, runningShare, sampledCalls } from './reading/syscalls.ts';
import { clip, code, count, duration, list, percent, visible } from './reading/text.ts';
import type { ReportPart } from './report-parts.ts';

/** Who a thread is: by its id, and by the names that the kernel and Python have for it. */
export interface ThreadId {
  readonly tid: number;
  readonly comm: string | null;
  readonly name: string | null;
}

/** All threads that a look saw, by what is known of each. */
export const threadsSeen = (look: Look): ThreadId[] => {
  const known = new Map<number, { comm: string | null; name: string | null }>();
  const sampled = look.see(sample);
  for (const { tid, comm } of sampled.seen ? sampled.data.threads : []) known.set(tid, { comm, name: null });
  for (const { tid, name } of pythonThreads(look)?.threads ?? []) {
    if (tid !== null) known.set(tid, { comm: known.get(tid)?.comm ?? null, name: name === '' ? null : name });
  }
  const native = look.see(nativeStacks);
  for (const { tid } of native.seen ? native.data.threads : []) {
    if (!known.has(tid)) known.set(tid, { comm: null, name: null });
  }
  return [...known].map(([tid, names]) => ({ tid, ...names })).sort((a, b) => a.tid - b.tid);
};

/** The threads that are meant by an id or a name: called just so in any case, else with it in their name. Pure. */
export const threadsMeant = (threads: readonly ThreadId[], wanted: string): ThreadId[] => {
  if (/^\d+$/.test(wanted)) return threads.filter(({ tid }) => tid === Number(wanted));
  const low = wanted.toLowerCase();
  const names = ({ comm, name }: ThreadId) =>
    [name, comm].flatMap((each) => (each === null ? [] : [each.toLowerCase()]));
  const exact = threads.filter((thread) => names(thread).includes(low));
  return exact.length > 0 ? exact : threads.filter((thread) => names(thread).some((each) => each.includes(low)));
};

/** `4242 (worker-3)` for lists of threads. */
export const threadWords = ({ tid, comm, name }: ThreadId): string => {
  const called = name ?? comm;
  return called === null ? String(tid) : `${tid} (${code(called, 60)})`;
};

const STATES: Readonly<Record<string, string>> = {
  R: 'ran or was ready to',
  S: 'slept',
  D: 'waited where no signal reaches it',
  T: 'was stopped',
  t: 'was stopped by a tracer',
  Z: 'had ended',
  I: 'was idle',
};

const item = (text: string): ReportPart => ({ kind: 'item', text });

const sampledParts = (thread: SampledThread, { seconds }: SampleData): ReportPart[] => {
  const share = (times: number) => percent(thread.samples === 0 ? 0 : times / thread.samples);
  const states = Object.entries(thread.states)
    .sort(([, a], [, b]) => b - a)
    .map(([letter, times]) => `${letter} ${share(times)}${STATES[letter] === undefined ? '' : ` (${STATES[letter]})`}`);
  const running = runningShare(thread);
  const calls = [
    ...sampledCalls(thread)
      .slice(0, 4)
      .map((call) => `\`${call.name}\` ${percent(call.share)}${call.fd === null ? '' : ` on ${code(call.fd, 120)}`}`),
    ...(running > 0 ? [`in none ${percent(running)}`] : []),
  ];
  const waits = thread.wchans.slice(0, 3).map(({ name, count: times }) => `\`${name}\` ${share(times)}`);
  const cpu = percent(cpuShare(thread, seconds));
  return [
    item(`State in ${count(thread.samples, 'sample')} over ${duration(seconds)}: ${list(states)}`),
    item(
      `CPU: ${cpu} of one processor (${duration(thread.userSeconds)} user, ${duration(thread.systemSeconds)} system)`,
    ),
    ...(calls.length === 0 ? [] : [item(`System call: ${list(calls)}`)]),
    ...(waits.length === 0 ? [] : [item(`Waited in the kernel in: ${list(waits)}`)]),
  ];
};

const frameLine = ({ function: name, file, line }: PythonFrame): string => `${visible(name)}  ${visible(file)}:${line}`;

const MOST_FRAMES = 40;
const MOST_STACKS = 3;

const framesOf = (lines: readonly string[]): string =>
  [
    ...lines.slice(0, MOST_FRAMES),
    ...(lines.length > MOST_FRAMES ? [`... ${lines.length - MOST_FRAMES} outer frames`] : []),
  ].join('\n');

const stackParts = ({ stacks, samples, from }: PythonThreadView): ReportPart[] =>
  stacks.slice(0, MOST_STACKS).flatMap((stack: PythonStack): ReportPart[] => [
    {
      kind: 'text',
      text:
        from === 'py-bt'
          ? 'Python stack, innermost first:'
          : `Python stack in ${stack.count} of ${count(samples, 'sample')}, innermost first:`,
    },
    { kind: 'code', text: framesOf(stack.frames.map(frameLine)) },
  ]);

const MOST_MOVING = 8;

const pythonParts = (thread: PythonThreadView, threads: readonly ThreadId[]): ReportPart[] => {
  const { waitsFor, gil, samples, missed, motion, stacks } = thread;
  const owner = threads.find(({ tid }) => tid === waitsFor?.ownerTid);
  const held =
    waitsFor?.ownerTid == null
      ? ''
      : `, held by thread ${owner === undefined ? waitsFor.ownerTid : threadWords(owner)}`;
  const moving = (motion?.frames ?? [])
    .flatMap((frame) => frame.moving)
    .filter(({ name }, index, all) => !name.startsWith('@') && all.findIndex((each) => each.name === name) === index)
    .sort((a, b) => Number(b.from !== null) - Number(a.from !== null))
    .slice(0, MOST_MOVING)
    .map(({ name, from, to, changes, looks }) =>
      from === null
        ? `${code(name, 60)} changed ${changes} times in ${looks} looks`
        : `${code(name, 60)} from ${from} to ${to}`,
    );
  return [
    ...(gil === null || samples + missed === 0
      ? []
      : [item(`Interpreter lock: held in ${gil} of ${count(samples + missed, 'sample')}`)]),
    ...(waitsFor === null ? [] : [item(`Waits for ${code(waitsFor.type, 80)} at ${waitsFor.address}${held}`)]),
    ...(moving.length === 0 ? [] : [item(`Moved while it ran: ${list(moving)}`)]),
    ...stackParts(thread),
    ...(stacks.length > MOST_STACKS ? [item(`${stacks.length - MOST_STACKS} other Python stacks were seen`)] : []),
  ];
};

const turnsText = (group: TurnGroup): string => {
  const [frame] = group.stack.frames;
  const where = frame === undefined ? '' : ` in ${code(frame.function, 80)} (${code(frame.file, 120)}:${frame.line})`;
  return `${group.count} ${group.state}${where}${group.awaits === null ? '' : `, for ${code(group.awaits, 60)}`}`;
};

const MOST_GROUPS = 6;

const turnsParts = (look: Look, tid: number): ReportPart[] => {
  const seen = look.see(pyStacks);
  if (!seen.seen) return [];
  return (
    [
      ['asyncio tasks', seen.data.tasks],
      ['greenlets', seen.data.greenlets],
    ] as const
  ).flatMap(([what, turns]) => {
    const groups = (turns?.groups ?? []).filter((group) => group.tid === tid);
    return groups.length === 0
      ? []
      : [
          item(
            `Its ${what}: ${groups.slice(0, MOST_GROUPS).map(turnsText).join('; ')}${groups.length > MOST_GROUPS ? '; and others' : ''}`,
          ),
        ];
  });
};

const nativeParts = (look: Look, tid: number): ReportPart[] => {
  const seen = look.see(nativeStacks);
  const frames = (seen.seen ? seen.data.threads.find((thread) => thread.tid === tid)?.frames : undefined) ?? [];
  if (frames.length === 0) return [];
  const lines = frames.map(
    ({ function: name, module, address }) =>
      `${visible(name ?? address)}${module === null ? '' : `  ${visible(module)}`}`,
  );
  return [
    { kind: 'text', text: 'C stack, innermost first:' },
    { kind: 'code', text: framesOf(lines) },
  ];
};

const MOST_CALLS = 10;
const MOST_ARGUMENTS = 160;

const traceParts = (look: Look, tid: number): ReportPart[] => {
  const seen = look.see(strace);
  const calls = seen.seen ? seen.data.detail.calls.filter((call) => call.tid === tid) : [];
  if (calls.length === 0) return [];
  const lines = calls
    .slice(-MOST_CALLS)
    .map(({ name, args, result, seconds }) =>
      clip(
        visible(
          `${name}(${clip(args, MOST_ARGUMENTS)}) = ${result ?? '(not returned)'}${seconds === null ? '' : ` <${seconds}>`}`,
        ),
        240,
      ),
    );
  return [
    { kind: 'text', text: `Its last ${count(lines.length, 'system call')} of ${calls.length} in the trace:` },
    { kind: 'code', text: lines.join('\n') },
  ];
};

/** All that a look knows of one thread; says so when that is nothing. Pure. */
export const threadParts = (look: Look, thread: ThreadId): ReportPart[] => {
  const threads = threadsSeen(look);
  const sampled = look.see(sample);
  const kernel = sampled.seen ? sampled.data.threads.find(({ tid }) => tid === thread.tid) : undefined;
  const python = pythonThreads(look)?.threads.find(({ tid }) => tid === thread.tid);
  const called = [
    ...(thread.name === null ? [] : [`\`threading\` calls it ${code(thread.name, 80)}`]),
    ...(thread.comm === null ? [] : [`the kernel calls it ${code(thread.comm, 40)}`]),
  ];
  const parts = [
    ...(called.length === 0 ? [] : [item(`Names: ${list(called)}`)]),
    ...(kernel !== undefined && sampled.seen ? sampledParts(kernel, sampled.data) : []),
    ...(python === undefined ? [] : pythonParts(python, threads)),
    ...turnsParts(look, thread.tid),
    ...nativeParts(look, thread.tid),
    ...(kernel !== undefined && kernel.kernelStack.length > 0
      ? [
          { kind: 'text', text: 'Kernel stack of its last wait:' } as const,
          { kind: 'code', text: kernel.kernelStack.map(visible).join('\n') } as const,
        ]
      : []),
    ...traceParts(look, thread.tid),
  ];
  return [
    { kind: 'heading', text: `Thread ${thread.tid} of process ${look.target.pid}` },
    ...(parts.length > 0 ? parts : [item('Nothing more than that it was there is known of it.')]),
  ];
};
