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

export const OpenFile = z.object({
  /** `3u`, `cwd`, `txt`, `mem`, … as lsof writes it. */
  fd: z.string(),
  type: z.string(),
  name: z.string(),
  inode: z.string().nullable(),
  size: z.number().nullable(),
  deleted: z.boolean(),
  at: LineNumber,
});
export type OpenFile = z.infer<typeof OpenFile>;
export const LsofData = z.object({ files: z.array(OpenFile) });
export type LsofData = z.infer<typeof LsofData>;

/** A line of lsof.sh: FD TYPE SIZE NODE LINKS NAME, with `-` for what lsof does not know. */
const LINE = /^(\S{1,20}) +(\S{1,20}) +(\d{1,18}|-) +(\d{1,20}|-) +(\d{1,12}|-) (.*)$/;

const readFile = (line: string, at: number): OpenFile | null => {
  const [, fd, type, size, node, links, name] = LINE.exec(line) ?? [];
  if (fd === undefined || type === undefined || name === undefined) return null;
  // A name may end with "(deleted)" by itself, so the number of links decides where it is known. DEL: a mapped file.
  const deleted = fd === 'DEL' || (name.endsWith(' (deleted)') && (links === '0' || links === '-'));
  return {
    fd,
    type,
    name: deleted ? name.replace(/ \(deleted\)$/, '') : name,
    inode: node === undefined || node === '-' ? null : node,
    size: size === undefined || size === '-' ? null : Number(size),
    deleted,
    at,
  };
};

const parse = (evidence: Evidence, step: StepContext): Parsed<LsofData> => {
  const lines = evidenceLines(evidence);
  const { pid } = step.target;
  const says = (start: string): boolean => lines.some((line) => line.startsWith(start));
  if (lines.includes('== missing: lsof')) {
    return { ok: false, reason: 'missing-tool', why: 'lsof is not installed on the host' };
  }
  if (says('== gone: ')) {
    return { ok: false, reason: 'target-gone', why: `process ${pid} had ended before its files could be listed` };
  }
  if (says('== denied: ')) {
    const why = `the open files of process ${pid} may be read only by root and by its own user`;
    return { ok: false, reason: 'no-permission', why };
  }
  if (!says('== lsof ')) {
    const said = evidenceErrorText(evidence).trim().split('\n').at(-1)?.slice(0, 200) ?? '';
    return { ok: false, reason: 'not-parsable', why: `the list of open files could not be read${said && `: ${said}`}` };
  }
  const files = lines
    .map((line, index) => (line.startsWith('== ') ? null : readFile(line, index + 1)))
    .filter((file) => file !== null);
  const end = lines
    .map((line) => /^== files: (\d+), matching: (\d+), shown: (\d+), lsof exit (\d+)$/.exec(line))
    .find((match) => match !== null);
  const partly: string[] = [];
  if (end === undefined || end[4] === '124' || end[4] === '137') {
    partly.push('lsof did not finish, perhaps because a file system does not answer: files are missing');
  }
  if (end !== undefined && Number(end[3]) < Number(end[2])) partly.push(`${end[3]} of ${end[2]} open files are shown`);
  return { ok: true, data: { files }, partly };
};

/**
 * The process's open files (lsof(8)), or with `pattern` those whose name holds that text. Sizes are bytes; names are as
 * lsof prints them, with `\n`, `^G` or `\x9f` for what cannot be printed.
 */
export const lsof = defineProbe<LsofData>({
  id: 'lsof',
  title: 'Open files',
  phase: 1,
  impacts: ['none'],
  ptraces: false,
  needs: { anyOf: [['lsof']], privilege: 'none' },
  limits: { seconds: () => 20, bytes: 4 * 1024 * 1024, endWith: 'TERM' },
  options: z.strictObject({ pattern: z.string().min(1).max(200).optional() }),
  data: LsofData,
  command: (step) => {
    const { pattern } = step.options;
    const argv = ['sh', '{script:lsof.sh}', String(step.target.pid)];
    return { argv: typeof pattern === 'string' ? [...argv, pattern] : argv, scripts: ['lsof.sh'] };
  },
  parse,
});
