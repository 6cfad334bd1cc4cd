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
import { plainName } from './native-stacks.names.ts';

export const LtraceData = z.object({
  /** Calls from the program and its libraries into other libraries, by function, most time first. */
  calls: z.array(
    z.object({
      function: z.string(),
      calls: z.number().int(),
      /** Seconds within them, the tracing itself included. */
      seconds: z.number(),
      at: LineNumber,
    }),
  ),
  /** It ended before its time because the process had started a thread. */
  endedEarly: z.boolean(),
});
export type LtraceData = z.infer<typeof LtraceData>;

const ROW = /^ *\d{1,3}\.\d\d +(\d{1,9}\.\d{1,9}) +\d{1,12} +(\d{1,12}) (\S.*)$/;

const cannot = (lines: readonly string[], messages: string, pid: number): Parsed<LtraceData> => {
  const all = `${lines.join('\n')}\n${messages}`;
  const refused = /^== refused: (.{1,300})$/m.exec(all)?.[1];
  if (refused !== undefined) return { ok: false, reason: 'not-applicable', why: `ltrace was not run: ${refused}` };
  if (lines.includes('== missing: ltrace')) {
    return { ok: false, reason: 'missing-tool', why: 'ltrace is not installed on the host' };
  }
  if (/^== gone: /m.test(all)) return { ok: false, reason: 'target-gone', why: `process ${pid} had ended` };
  if (/^== denied: |Operation not permitted|Permission denied/m.test(all)) {
    return { ok: false, reason: 'no-permission', why: `ltrace of process ${pid} needs root, or its own user` };
  }
  return { ok: false, reason: 'not-parsable', why: 'ltrace counted nothing' };
};

const parse = (evidence: Evidence, step: StepContext): Parsed<LtraceData> => {
  const lines = evidenceLines(evidence);
  const calls: LtraceData['calls'] = [];
  let total = false;
  lines.forEach((line, index) => {
    const row = ROW.exec(line.slice(0, 1000));
    if (row !== null) {
      const [, seconds, number, name = ''] = row;
      calls.push({ function: plainName(name), calls: Number(number), seconds: Number(seconds), at: index + 1 });
    }
    total ||= /^100\.00 .* total$/.test(line);
  });
  if (!total) return cannot(lines, evidenceErrorText(evidence), step.target.pid);
  return {
    ok: true,
    data: { calls, endedEarly: lines.includes('== ended early: it started a thread') },
    partly: lines.some((line) => line.startsWith('== after: ')) ? [] : ['ltrace was broken off'],
  };
};

/** The longest that breakpoints stay in the process. */
const MOST_SECONDS = 3;

/**
 * Which library functions a process with one thread calls, and how often (ltrace(1)). Measured: a process with more than one
 * thread dies by SIGTRAP of it, each time; one with a single thread survived each time. So the script refuses any other, and
 * the step runs only when a person allowed `risks-death`.
 */
export const ltrace = defineProbe<LtraceData>({
  id: 'ltrace',
  title: 'Library calls of a single-threaded process',
  phase: 5,
  impacts: ['slows', 'risks-death'],
  ptraces: true,
  needs: { anyOf: [['ltrace']], privilege: 'ptrace' },
  // It ends by itself long before: killed, it would leave its breakpoints behind.
  limits: { seconds: () => MOST_SECONDS + 30, bytes: 1_000_000, endWith: 'TERM' },
  options: z.strictObject({}),
  data: LtraceData,
  command: (step) => ({
    argv: [
      'sh',
      '{script:ltrace.sh}',
      String(step.target.pid),
      String(Math.round(Math.min(step.windowSeconds, MOST_SECONDS) * 10)),
      '{script:ptrace-guard.sh}',
    ],
    scripts: ['ltrace.sh', 'ptrace-guard.sh'],
  }),
  parse,
});
