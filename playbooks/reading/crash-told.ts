import type { Look } from '../model/index.ts';
import { type LogLine, logTail } from '../probes/log-tail.ts';
import { isOthersCode } from './crash-core.ts';
import { isLibraryFile } from './python.ts';

/** What faulthandler or the interpreter wrote into the log when it died (Python/traceback.c, Modules/faulthandler.c). */
export interface ToldCrash {
  readonly evidenceId: string;
  /** `Segmentation fault`, `_PyObject_AssertFailed: …`. */
  readonly error: string;
  /** The thread that died, innermost first; each with the evidence line. */
  readonly frames: readonly {
    readonly file: string;
    readonly line: number;
    readonly function: string;
    readonly at: number;
  }[];
  /** The program's own innermost frame. */
  readonly own: ToldCrash['frames'][number] | null;
  /** Names of third-party extension modules that were loaded; empty where the version does not list them. */
  readonly extensions: readonly string[];
  readonly at: number;
}

const SIGNALS: readonly (readonly [RegExp, number])[] = [
  [/^Segmentation fault/, 11],
  [/^Bus error/, 7],
  [/^Illegal instruction/, 4],
  [/^Floating[- ]point exception/, 8],
];

/** The signal by which a process ends after `Fatal Python error: …`: those of faulthandler, else abort(3). */
export const fatalSignal = (text: string): number => {
  const error = /Fatal Python error: (.*)/.exec(text)?.[1] ?? '';
  return SIGNALS.find(([pattern]) => pattern.test(error))?.[1] ?? 6;
};

/** The extension modules of the interpreter itself begin with an underscore or are named in lib-dynload. */
const namesIn = (text: string): string[] | null => {
  const names = /^Extension modules: (.*?)(?: \(total: \d+\))?$/.exec(text)?.[1];
  return names === undefined ? null : names.split(', ').filter((name) => name !== '' && !name.startsWith('_'));
};

const readBlock = (evidenceId: string, first: LogLine, below: readonly LogLine[]): ToldCrash => {
  const start = below.findIndex((line) => line.text.startsWith('Current thread '));
  const rest = start < 0 ? [] : below.slice(start + 1);
  const end = rest.findIndex((line) => !line.text.startsWith('  '));
  const frames = rest.slice(0, end < 0 ? rest.length : end).flatMap((line) => {
    const match = /^ {2}File "(.*)", line (\d{1,9}) in (.+)$/.exec(line.text);
    return match === null
      ? []
      : [{ file: match[1] ?? '', line: Number(match[2]), function: match[3] ?? '', at: line.at }];
  });
  return {
    evidenceId,
    error: /Fatal Python error: (.*)/.exec(first.text)?.[1] ?? '',
    frames,
    own: frames.find((frame) => !isLibraryFile(frame.file)) ?? frames[0] ?? null,
    extensions: below.flatMap((line) => namesIn(line.text) ?? []),
    at: first.at,
  };
};

/** The last fatal error in the process's own logs with what stands below it; null when there is none. */
export const toldCrash = (look: Look): ToldCrash | null => {
  const seen = look.see(logTail);
  if (!seen.seen) return null;
  const { lines } = seen.data;
  const at = lines.findLastIndex((line) => /Fatal Python error: /.test(line.text) && !line.before);
  const first = lines[at];
  if (first === undefined) return null;
  const rest = lines.slice(at + 1);
  const end = rest.findIndex((line) => line.kind !== 'detail' || line.file !== first.file);
  return readBlock(seen.evidenceId, first, rest.slice(0, end < 0 ? rest.length : end));
};

/** The place of a crash as uWSGI's own handler of SIGSEGV wrote it (core/utils.c uwsgi_backtrace(), backtrace_symbols(3)). */
export interface ToldPlace {
  readonly evidenceId: string;
  readonly object: string;
  /** Null where the object exports no name for it. */
  readonly function: string | null;
  readonly at: number;
}

/** The innermost frame outside of interpreter and C library in uWSGI's last backtrace; null when there is none. */
export const toldPlace = (look: Look): ToldPlace | null => {
  const seen = look.see(logTail);
  if (!seen.seen) return null;
  const { lines } = seen.data;
  const at = lines.findLastIndex((line) => /^!!! uWSGI process \d+ got /.test(line.text) && !line.before);
  if (at < 0) return null;
  const rest = lines.slice(at + 1);
  const end = rest.findIndex((line) => line.kind !== 'detail');
  const frames = rest.slice(0, end < 0 ? rest.length : end).flatMap((line) => {
    const match = /^(\S+)\(([^+)]*)(?:\+0x[0-9a-f]+)?\) ?\[0x/.exec(line.text);
    return match === null ? [] : [{ object: match[1] ?? '', function: match[2] || null, at: line.at }];
  });
  const handler = frames.findLastIndex((frame) => frame.function === 'uwsgi_segfault');
  const evaluated = frames.findIndex((frame) => /^_?PyEval_/.test(frame.function ?? ''));
  const near = frames.slice(handler + 1, evaluated < 0 ? frames.length : evaluated);
  const place = near.find((frame) => isOthersCode(frame.object));
  return place === undefined ? null : { ...place, evidenceId: seen.evidenceId };
};
