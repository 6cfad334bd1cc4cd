import { z } from 'zod';
import {
  defineProbe,
  type Evidence,
  evidenceErrorText,
  evidenceLines,
  LineNumber,
  type Parsed,
  type StepContext,
} from '../model/index.ts';
import { mergedStacks } from '../reading/merged-stacks.ts';
import { plainName } from './native-stacks.names.ts';
import { pyStacks } from './py-stacks.ts';

export const NativeFrame = z.object({
  function: z.string().nullable(),
  /** Shared object or executable, when the tool names it. */
  module: z.string().nullable(),
  address: z.string(),
  at: LineNumber,
});
export type NativeFrame = z.infer<typeof NativeFrame>;
export const NativeThread = z.object({ tid: z.number().int(), frames: z.array(NativeFrame), at: LineNumber });
export type NativeThread = z.infer<typeof NativeThread>;
export const NativeStacksData = z.object({
  tool: z.enum(['eu-stack', 'gdb']),
  /** Innermost frame first. */
  threads: z.array(NativeThread),
});
export type NativeStacksData = z.infer<typeof NativeStacksData>;

/** `#3  0xADDRESS FUNCTION - MODULE`; either may be missing, and a C++ function may hold spaces. */
const readFrame = (line: string, at: number): NativeFrame | null => {
  const [, address, rest] = /^#\d{1,6} +(0x[0-9a-f]{1,16})((?: .*)?)$/.exec(line) ?? [];
  if (address === undefined || rest === undefined) return null;
  const [, before, module] = /^(.*?) - ((?:[/[?]|linux-).*)$/.exec(rest) ?? [];
  const name = plainName((before ?? rest).trim());
  return {
    function: name === '' ? null : name,
    module: module === undefined || module === '?' ? null : module.replace(/ \(deleted\)$/, ''),
    address,
    at,
  };
};

const readThreads = (lines: readonly string[]): NativeThread[] => {
  const threads: NativeThread[] = [];
  lines.forEach((line, index) => {
    const tid = /^TID (\d{1,10}):$/.exec(line)?.[1];
    if (tid !== undefined) threads.push({ tid: Number(tid), frames: [], at: index + 1 });
    const frame = readFrame(line, index + 1);
    if (frame !== null) threads.at(-1)?.frames.push(frame);
  });
  return threads;
};

const cannot = (
  lines: readonly string[],
  messages: string,
  pid: number,
): Extract<Parsed<NativeStacksData>, { ok: false }> => {
  const said = (pattern: RegExp): string | undefined =>
    lines.map((line) => pattern.exec(line)?.[1]).find((match) => match !== undefined);
  const tracer = said(/^== refused: already traced by process (\d{1,10})$/);
  if (tracer !== undefined) {
    const why = `process ${pid} is already traced by process ${tracer}, and only one can trace it`;
    return { ok: false, reason: 'failed', why };
  }
  const missing = said(/^== missing: ([a-z -]{1,40})$/);
  if (missing !== undefined) {
    const why =
      missing === 'gdb'
        ? 'gdb is not installed on the host, and eu-stack would read other files than the process sees'
        : `${missing} is not installed on the host`;
    return { ok: false, reason: 'missing-tool', why };
  }
  if (lines.some((line) => line.startsWith('== gone: '))) {
    return { ok: false, reason: 'target-gone', why: `process ${pid} had ended before its stacks could be read` };
  }
  const all = `${messages}\n${lines.join('\n')}`;
  if (/Operation not permitted|Permission denied|^== denied: /m.test(all)) {
    const why = `stacks of process ${pid} need root, or the process's own user where ptrace_scope allows it`;
    return { ok: false, reason: 'no-permission', why };
  }
  if (/Scripting in the "Python" language is not supported/.test(all)) {
    return {
      ok: false,
      reason: 'missing-tool',
      why: 'eu-stack is not installed on the host, and its gdb has no Python',
    };
  }
  if (lines.some((line) => line.startsWith('== '))) {
    const last = messages.trim().split('\n').at(-1)?.slice(0, 200) ?? '';
    return { ok: false, reason: 'failed', why: `no thread's stack could be read${last && `: ${last}`}` };
  }
  return { ok: false, reason: 'not-parsable', why: 'the stacks could not be read' };
};

const parse = (evidence: Evidence, step: StepContext): Parsed<NativeStacksData> => {
  const lines = evidenceLines(evidence);
  const messages = evidenceErrorText(evidence);
  // gdb comes after an eu-stack that saw nothing; only one of them has frames.
  const tool = lines.some((line) => line.startsWith('== gdb ')) ? 'gdb' : 'eu-stack';
  const from = tool === 'gdb' ? lines.findIndex((line) => line.startsWith('== gdb ')) : 0;
  const threads = readThreads(lines.map((line, index) => (index < from ? '' : line)));
  if (threads.every((thread) => thread.frames.length === 0)) return cannot(lines, messages, step.target.pid);

  const partly: string[] = [];
  const longer =
    `${messages}\n${lines.join('\n')}`.match(/shown max number of frames|^== more frames than/gm)?.length ?? 0;
  if (longer > 0) partly.push(`${longer} threads have more frames than are shown`);
  const failed = threads.filter((thread) => thread.frames.length === 0).length;
  if (failed > 0) partly.push(`the stacks of ${failed} threads could not be read`);
  if (!lines.some((line) => line.startsWith('== after: '))) partly.push('the tool was ended before it had finished');
  return { ok: true, data: { tool, threads }, partly };
};

/**
 * C stacks of all threads (eu-stack(1) of elfutils, else gdb(1)). Measured with 22 threads: eu-stack held none up for more
 * than 10 ms; gdb, without separate debug information, held all of them for 30 to 130 ms.
 */
export const nativeStacks = defineProbe<NativeStacksData>({
  id: 'native-stacks',
  title: 'C stacks of all threads',
  phase: 4,
  impacts: ['stops'],
  ptraces: true,
  needs: { anyOf: [['eu-stack', 'gdb']], privilege: 'ptrace' },
  limits: { seconds: () => 32, bytes: 4 * 1024 * 1024, endWith: 'KILL' },
  options: z.strictObject({ frames: z.number().int().min(1).max(1000).optional() }),
  data: NativeStacksData,
  command: (step) => {
    const frames = typeof step.options.frames === 'number' ? step.options.frames : 100;
    const { pid } = step.target;
    return {
      argv: [
        'sh',
        '{script:native-stacks.sh}',
        String(pid),
        String(frames),
        '{script:ptrace-guard.sh}',
        '{script:native-stacks.gdb.py}',
      ],
      scripts: ['native-stacks.sh', 'ptrace-guard.sh', 'native-stacks.gdb.py'],
    };
  },
  parse,
  // Where the Python stacks were read too, both are told as one.
  preview: (data, see) => {
    const python = see?.(pyStacks);
    return python?.seen === true ? mergedStacks(data.threads, python.data) : [];
  },
});
