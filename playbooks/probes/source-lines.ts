import { z } from 'zod';
import { defineProbe, evidenceLines, LineNumber, type Parsed } from '../model/index.ts';

/** A place in a program: what is asked for. */
const Place = z.strictObject({ file: z.string().min(1).max(1000), line: z.number().int().positive() });

const MOST_PLACES = 8;
const Options = z.strictObject({ places: z.array(Place).max(MOST_PLACES).default([]) });

export const SourceAround = z.object({
  /** As the process calls it. */
  file: z.string(),
  /** The line that was asked for. */
  line: z.number().int(),
  /** Empty when the file cannot be read, or not by the process's own user. */
  lines: z.array(z.object({ line: z.number().int(), text: z.string(), at: LineNumber })),
  /** The file was written after the process started: what is shown may not be what runs. */
  newer: z.boolean(),
});
export type SourceAround = z.infer<typeof SourceAround>;

export const SourceLinesData = z.object({ places: z.array(SourceAround) });
export type SourceLinesData = z.infer<typeof SourceLinesData>;

const parse = (output: readonly string[], asked: z.infer<typeof Options>['places']): Parsed<SourceLinesData> => {
  if (output[0] === 'gone') return { ok: false, reason: 'target-gone', why: 'the process had ended' };
  const places = asked.map(({ file, line }, index): SourceAround => {
    const own = new RegExp(`^${index + 1}:(\\d{1,9})[> ] (.*)$`);
    const lines = output.flatMap((text, at) => {
      const match = own.exec(text);
      return match === null ? [] : [{ line: Number(match[1]), text: match[2] ?? '', at: at + 1 }];
    });
    const newer = output.some((text) => text.startsWith(`file ${index + 1} newer than the process: `));
    return { file, line, lines, newer };
  });
  const answered = output.filter((text) => /^file \d{1,3}( newer than the process| unreadable)?: /.test(text)).length;
  if (answered < asked.length) {
    return { ok: false, reason: 'not-parsable', why: 'the source could not be read: the answer is not complete' };
  }
  return { ok: true, data: { places } };
};

/**
 * Five lines of source around each of a few places. The file is found as the process would find it, in its own root
 * and working directory, and only where its own user may read it: what a process calls its source is its own choice.
 */
export const sourceLines = defineProbe<SourceLinesData>({
  id: 'source-lines',
  title: 'Source lines of the places that were found',
  phase: 3,
  impacts: ['none'],
  ptraces: false,
  needs: { python: true, privilege: 'none' },
  limits: { seconds: () => 10, bytes: 100_000, endWith: 'TERM' },
  options: Options,
  data: SourceLinesData,
  command: ({ target, known, options }) => ({
    argv: [
      known?.python ?? 'python3',
      '-I',
      '-S',
      '-B',
      '{script:source-lines.py}',
      String(target.pid),
      target.startTime,
      ...Options.parse(options).places.flatMap(({ file, line }) => [String(line), file]),
    ],
    scripts: ['source-lines.py', 'py_read_source.py'],
  }),
  parse: (evidence, { options }) => parse(evidenceLines(evidence), Options.parse(options).places),
});
