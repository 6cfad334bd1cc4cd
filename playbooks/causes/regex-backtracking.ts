import { defineCause, type FindingDraft, type Look, type Verdict } from '../model/index.ts';
import { nativeStacks } from '../probes/native-stacks.ts';
import type { MotionFrame, PatternCall, SourceLine } from '../probes/py-stacks.motion.ts';
import { pyStacks } from '../probes/py-stacks.ts';
import { type SampleData, sample } from '../probes/sample.ts';
import { type Burner, burners } from '../reading/cpu.ts';
import { orderedFrames, runs } from '../reading/motion.ts';
import { ambiguityOf } from '../reading/pattern.ts';
import {
  frameName,
  isLibraryFile,
  nativeCalls,
  ownFrame,
  type PythonThreadView,
  type PythonView,
  pythonThreads,
  quoteFrame,
  steadyFrames,
  threadName,
  threadOf,
} from '../reading/python.ts';
import { cpuShare } from '../reading/syscalls.ts';
import { code, duration, percent } from '../reading/text.ts';
import { patternFixes, patternSentence } from './regex-backtracking.texts.ts';

/** Looks at running threads below which one lasting call cannot be told from many short ones. */
const LOOKS_LEAST = 12;
/**
 * Characters for each second of processor time below which a scan that goes on once from left to right would have been done
 * long ago; of a pattern of which nothing is known, and of one that can match in many ways.
 */
const LEAST_RATE = 5000;
const SLOW_RATE = 100_000;
const FAIR_RATE = 1_000_000;

/** What shows that a thread is inside one match for the whole window. */
interface Match {
  /** What it is matched with, read from the operands of the call; null when only the code shows that it matches. */
  readonly call: PatternCall | null;
  /** How it is known besides: from a frame of the module `re`, from the line of source, or from C functions. */
  readonly by: 'operands' | 'module' | 'source' | 'native';
  readonly line: SourceLine | null;
}

const RE_MODULE = /(^|\/)(re|sre|re\/__init__)\.py$/;
const RE_FUNCTION = /^(match|fullmatch|search|sub|subn|split|findall|finditer)$/;
const RE_CALL =
  /\bre\.(match|fullmatch|search|subn?|split|findall|finditer)\s*\(|\.(match|fullmatch|search|findall|finditer|subn)\s*\(/;
const SRE = /^_?sre_|^SRE_|pattern_(match|fullmatch|search|sub|subx|split|findall)/;

/** Whether none of its frames did anything: no variable moved and no frame went to another instruction. */
const standsStill = (frames: readonly MotionFrame[]): boolean =>
  frames.every(
    (frame) =>
      !runs(frame) && frame.moving.every((variable) => variable.changes <= 1 || variable.back > 0.5 * variable.changes),
  );

const matchOf = (look: Look, thread: PythonThreadView, view: PythonView, tid: number): Match | null => {
  const { motion } = thread;
  if (motion === null || motion.looks < LOOKS_LEAST) return null;
  const frames = orderedFrames(motion);
  const inner = frames.at(-1);
  if (inner === undefined || !standsStill(frames)) return null;
  const call = inner.matching ?? null;
  if (call !== null && call.looks >= 0.9 * motion.looks) return { call, by: 'operands', line: null };
  const steady = steadyFrames(thread, 0.98).at(-1);
  if (steady === undefined || steady.lines.length !== 1 || steady.innermost < 0.9 * thread.samples) return null;
  if (
    nativeCalls(look, tid)
      .slice(0, 6)
      .some((each) => SRE.test(each.function))
  )
    return { call: null, by: 'native', line: null };
  if (RE_MODULE.test(steady.file) && RE_FUNCTION.test(steady.function)) return { call: null, by: 'module', line: null };
  const line = view.source.find((each) => each.file === steady.file && each.line === steady.lines[0]) ?? null;
  return line !== null && RE_CALL.test(line.text) ? { call: null, by: 'source', line } : null;
};

interface Sureness {
  readonly confidence: number;
  readonly inferred: string | null;
}

/** How sure it is that the match goes back and forth, and does not just have much to read. */
const sureness = (match: Match, cpuSeconds: number, seenInC: boolean): Sureness | null => {
  const { call } = match;
  if (call === null) {
    const by = {
      operands: '',
      module: 'that it goes back and forth, and does not just have a long text; pattern and text could not be read',
      source: 'that the call on this line is the regular expression; pattern and text could not be read',
      native: 'that it goes back and forth, and does not just have a long text; pattern and text could not be read',
    }[match.by];
    return { confidence: match.by === 'native' ? 0.85 : match.by === 'module' ? 0.75 : 0.55, inferred: by };
  }
  const rate = call.subject.length / Math.max(cpuSeconds, 0.05);
  const found = call.pattern === null ? null : ambiguityOf(call.pattern);
  const ambiguity = found?.kind === 'restarts' && /match$/.test(call.method) ? null : found;
  if (ambiguity !== null && rate <= SLOW_RATE) return { confidence: seenInC ? 0.97 : 0.95, inferred: null };
  if (ambiguity !== null && rate <= FAIR_RATE) {
    return { confidence: 0.75, inferred: 'that it is this part of the pattern, and not the length of the text alone' };
  }
  if (ambiguity?.kind === 'restarts') return null;
  if (ambiguity !== null) return { confidence: 0.4, inferred: 'that it is not the length of the text alone' };
  if (rate <= LEAST_RATE) {
    return {
      confidence: seenInC ? 0.95 : 0.88,
      inferred: seenInC ? null : 'which part of the pattern it is; but so short a text is read through in no time',
    };
  }
  return rate <= SLOW_RATE
    ? {
        confidence: 0.55,
        inferred: 'that it goes back and forth: the text is not very long, but the pattern may be slow by itself',
      }
    : null;
};

const findingOf = (
  look: Look,
  data: SampleData,
  evidenceId: string,
  burner: Burner,
  thread: PythonThreadView,
  match: Match,
  sure: Sureness,
): FindingDraft => {
  const stacks = look.see(pyStacks);
  const [stack] = thread.stacks;
  const frame =
    stack?.frames.find(
      (each) => !RE_MODULE.test(each.file) && !isLibraryFile(each.file) && !each.function.endsWith('>'),
    ) ?? (stack === undefined ? null : ownFrame(stack));
  const inner = stack?.frames.find((each) => !isLibraryFile(each.file)) ?? frame;
  const name = threadName(thread);
  const calls = nativeCalls(look, burner.thread.tid)
    .filter((each) => SRE.test(each.function))
    .slice(0, 2);
  const ambiguity = match.call?.pattern == null ? null : ambiguityOf(match.call.pattern);
  const where = inner === null ? 'native code' : frameName(inner);
  const version = stacks.seen ? stacks.data.version : '';
  const pattern = match.call?.pattern ?? null;
  return {
    confidence: sure.confidence,
    title: `A regular expression in ${where} does not come to an end${pattern === null ? '' : `: ${code(pattern, 80)}`}`,
    summary:
      `${name.charAt(0).toUpperCase()}${name.slice(1)} used ${percent(cpuShare(burner.thread, data.seconds))} of a processor over ${duration(data.seconds)} and was in one call from ${where} in every sample: no variable of its frames changed, and no frame went on. ` +
      `${patternSentence(match.call, ambiguity, data.seconds)}` +
      `${calls[0] === undefined ? '' : ` Its innermost C functions were ${calls.map((each) => code(each.function, 60)).join(' and ')}.`} ` +
      'While it lasts, it keeps the interpreter lock: no other Python thread of the process runs.' +
      (sure.inferred === null ? '' : ` Inferred: ${sure.inferred}.`),
    evidence: [
      look.quote(evidenceId, burner.thread.at),
      ...(match.call === null ? [] : [look.quote(thread.evidenceId, match.call.at)]),
      ...(inner === null ? [] : [quoteFrame(look, thread, inner)]),
      ...(match.line === null ? [] : [look.quote(thread.evidenceId, match.line.at)]),
      ...calls.map((each) => look.quote(each.evidenceId, each.at)),
    ],
    fixes: patternFixes(match.call, ambiguity, inner, version, look.target.pid),
  };
};

const judgeThreads = (
  look: Look,
  data: SampleData,
  evidenceId: string,
  view: PythonView,
  hot: readonly Burner[],
): Verdict => {
  const findings: FindingDraft[] = [];
  let direct = true;
  let long: string | null = null;
  for (const burner of hot) {
    const thread = threadOf(view, burner.thread.tid);
    const match = thread === null || !burner.silent ? null : matchOf(look, thread, view, burner.thread.tid);
    if (thread === null || match === null) continue;
    const seenInC = nativeCalls(look, burner.thread.tid)
      .slice(0, 6)
      .some((each) => SRE.test(each.function));
    const sure = sureness(match, burner.thread.userSeconds + burner.thread.systemSeconds, seenInC);
    if (sure === null) {
      long = `${threadName(thread)} matches a regular expression with ${(match.call?.subject.length ?? 0).toLocaleString('en-US')} characters, which takes its time`;
      continue;
    }
    if (sure.confidence < 0.9) direct = false;
    findings.push(findingOf(look, data, evidenceId, burner, thread, match, sure));
  }
  if (findings.length > 0) {
    const open = !direct && !look.see(nativeStacks).seen;
    return { verdict: 'fires', findings, ...(open ? { wants: [nativeStacks.id] } : {}) };
  }
  return { verdict: 'clear', why: long ?? 'no busy thread stayed in one call of a regular expression' };
};

/** A regular expression tries so many ways to match that it does not come to an end. */
export const regexBacktracking = defineCause({
  id: 'regex-backtracking',
  title: 'A regular expression backtracks without end',
  needs: [sample, pyStacks],
  explains: ['busy-loop', 'cpu-throttled', 'event-loop-blocked', 'gil-contention', 'waiting-forever'],
  judge: (look) => {
    const sampled = look.see(sample);
    const view = pythonThreads(look);
    if (!sampled.seen) return { verdict: 'cannot-tell', why: sampled.why, wants: [sample.id] };
    if (view === null || !view.sampled) {
      return { verdict: 'cannot-tell', why: 'no Python stacks were read over a window' };
    }
    const { data, evidenceId } = sampled;
    if (data.seconds < 0.4 || data.samples < 4) return { verdict: 'cannot-tell', why: 'the window was too short' };
    const hot = burners(data).slice(0, 8);
    if (hot.length === 0) return { verdict: 'clear', why: 'no thread was busy' };
    return judgeThreads(look, data, evidenceId, view, hot);
  },
});
