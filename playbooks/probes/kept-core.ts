import { z } from 'zod';
import { defineProbe, type Evidence, evidenceLines, type Parsed } from '../model/index.ts';
import { unquote } from '../reading/quoted-names.ts';
import { bytes, code, count } from '../reading/text.ts';
import { CoreStacksData, coreStacks, parseOpenedCore } from './core-stacks.ts';

export const KeptCoreData = CoreStacksData.omit({ died: true }).extend({
  /** Thread whose C stack is shown: the one that held the interpreter lock, else the first. */
  shown: z.number().int(),
  /** The file with the symbols of the build that wrote the core; null when none is at hand. */
  symbols: z.string().nullable(),
  /** Separate debug information of that build; null when there is none, which an unstripped interpreter does not need. */
  debug: z.string().nullable(),
  /** Permissions of the file, octal: `0600`. */
  mode: z.string(),
});
export type KeptCoreData = z.infer<typeof KeptCoreData>;

const NAME = String.raw`("(?:[^"\\]|\\.)*")`;
const SYMBOLS = new RegExp(
  `^ {2}symbols of that build from (?:nowhere|${NAME}), separate debug information (?:none|${NAME})$`,
);

/** How to get what belongs to a build id: by its package, from where it still runs, or from a debuginfod server. */
const howToGet = (what: 'executable' | 'debuginfo', buildId: string): string =>
  `from the package or image of exactly that version, from a host that still runs it, or by ${code(`debuginfod-find ${what} ${buildId}`)}`;

/** What a person must know before opening the core in a debugger; empty when the files at their paths fit. */
const aboutSymbols = (data: KeptCoreData): string[] => {
  const { executable, path } = data.core;
  if (executable === null || executable.buildId === null) return [];
  const id = executable.buildId;
  const told: string[] = [];
  if (executable.onDisk !== id) {
    const now = executable.onDisk === null ? 'is not there any more' : `has build id ${executable.onDisk}`;
    const how =
      data.symbols === null
        ? `with another build all names would be wrong; get the file ${howToGet('executable', id)}, then ${code(`gdb FILE ${path}`, 400)}`
        : `it was read with ${code(data.symbols, 400)}, which is of that build; a debugger needs that file too`;
    told.push(
      `the core was written by build ${id} of ${code(executable.path, 400)}, and what lies there now ${now}: ${how}`,
    );
  }
  const own = data.native.filter((frame) => frame.object === executable.path);
  const named = data.native.some((frame) => /^_?Py/.test(frame.function ?? '') && frame.file !== null);
  if (own.length > 0 && own.every((frame) => frame.file === null) && !named && data.debug === null) {
    const place = `/usr/lib/debug/.build-id/${id.slice(0, 2)}/${id.slice(2)}.debug`;
    told.push(
      `C frames of the interpreter have no file and line: its debug information is not installed; get it ${howToGet('debuginfo', id)}, and put it at ${code(place, 400)}`,
    );
  }
  return told;
};

const parse = (evidence: Evidence): Parsed<KeptCoreData> => {
  const parsed = parseOpenedCore(evidence);
  if (!parsed.ok) return parsed;
  const lines = evidenceLines(evidence);
  const from = lines.indexOf('== core');
  const symbols = lines.slice(from).flatMap((line) => SYMBOLS.exec(line.slice(0, 8192)) ?? []);
  const mode = lines.slice(from).flatMap((line) => /^ {2}mode ([0-7]{4})$/.exec(line)?.[1] ?? [])[0];
  const { died, ...rest } = parsed.data;
  const data: KeptCoreData = {
    ...rest,
    shown: died,
    symbols: symbols[1] === undefined ? null : unquote(symbols[1]),
    debug: symbols[2] === undefined ? null : unquote(symbols[2]),
    mode: mode ?? '',
  };
  const moment = 'what was read comes from a core, which shows one moment and not how the process went on';
  return { ok: true, data, partly: [moment, ...aboutSymbols(data), ...(parsed.partly ?? [])] };
};

const SHOWN_FRAMES = 12;

/** What ran when the core was taken: Python frames where they could be read, and the C frames above the innermost of them. */
const preview = (data: KeptCoreData): string[] => {
  const { core, shown } = data;
  const stack = data.python.find((thread) => thread.tid === shown)?.stacks[0]?.frames ?? [];
  const evaluates = data.native.findIndex((frame) => /^_?PyEval_Eval\w*Frame/.test(frame.function ?? ''));
  const above = stack.length > 0 && evaluates >= 0 ? data.native.slice(0, evaluates + 1) : data.native;
  const more = data.python.length - 1;
  return [
    `${core.path}, ${bytes(core.bytes)}, mode ${data.mode}, of ${core.relation === 'itself' ? '' : `the ${core.relation} `}process ${core.pid ?? '?'}`,
    `thread ${shown}, which ran when it was taken:`,
    ...stack.slice(0, SHOWN_FRAMES).map((frame) => `  ${frame.function}  ${frame.file}:${frame.line}`),
    ...(stack.length > SHOWN_FRAMES ? [`  ... ${stack.length - SHOWN_FRAMES} outer frames more`] : []),
    ...(data.pythonWhy === null ? [] : [`no Python frames: ${data.pythonWhy}`, 'C frames:']),
    ...above
      .slice(0, SHOWN_FRAMES)
      .map(
        (frame) =>
          `  C ${frame.function ?? '??'}${frame.file === null ? ` in ${frame.object}` : `  ${frame.file}:${frame.line}`}`,
      ),
    ...(more > 0 ? [`${count(more, 'other Python thread')}: see the evidence`] : []),
  ];
};

/** Seconds that gdb may take over a core; about two are usual. */
const GDB_SECONDS = 30;

/**
 * Opens the newest core that `gcore` took of the process, with the very executable that the process runs: Python stacks by our
 * own readers, which need neither gdb nor debug information, and the C stack of the thread that ran, by gdb. It reads a file.
 */
export const keptCore = defineProbe<KeptCoreData>({
  id: 'kept-core',
  title: 'Stacks in the core that was taken',
  phase: 6,
  impacts: ['none'],
  ptraces: false,
  needs: { python: true, privilege: 'none' },
  limits: { seconds: () => GDB_SECONDS + 15, bytes: 4_000_000, endWith: 'TERM' },
  options: z.strictObject({}),
  data: KeptCoreData,
  command: (step) => ({
    argv: [
      step.known?.python ?? 'python3',
      '-I',
      '-S',
      '-B',
      '{script:kept-core.py}',
      String(step.target.pid),
      step.target.startTime,
      step.keepFolder,
      String(GDB_SECONDS),
      step.known?.tools.gdb ?? '-',
      '{script:core-stacks.gdb.py}',
    ],
    scripts: ['kept-core.py', ...(coreStacks.command(step).scripts ?? [])],
  }),
  parse,
  preview: (data) => preview(data),
});
