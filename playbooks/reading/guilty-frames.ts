import type { Finding, Look, PythonFrame } from '../model/index.ts';
import { pyStacks } from '../probes/py-stacks.ts';
import { frameName, isLibraryFile } from './python.ts';

/** A place in the program's own code that a finding rests on. */
export interface GuiltyPlace {
  readonly function: string;
  readonly file: string;
  readonly line: number;
}

const MOST = 3;

const framesSeen = (look: Look): { readonly evidenceId: string; readonly frames: readonly PythonFrame[] } | null => {
  const seen = look.see(pyStacks);
  if (!seen.seen) return null;
  const frames = seen.data.threads.flatMap((thread) => thread.stacks.flatMap((stack) => stack.frames));
  return { evidenceId: seen.evidenceId, frames };
};

/**
 * The places in code that a finding quotes or names, those that it quotes first, at most three: in the program's own files,
 * for they are what can be changed, else in libraries.
 */
export const guiltyPlaces = (
  finding: Pick<Finding, 'evidence' | 'title' | 'summary' | 'fixes'>,
  look: Look,
): GuiltyPlace[] => {
  const seen = framesSeen(look);
  if (seen === null) return [];
  const quoted = finding.evidence
    .filter((quote) => quote.evidenceId === seen.evidenceId)
    .flatMap((quote) => seen.frames.filter((frame) => frame.at === quote.line));
  const said = [finding.title, finding.summary, ...finding.fixes.map((fix) => `${fix.title} ${fix.detail}`)].join('\n');
  const named = seen.frames.filter((frame) => said.includes(frameName(frame)));
  const guilty = [...quoted, ...named].filter((frame) => frame.line > 0);
  const own = guilty.filter((frame) => !isLibraryFile(frame.file));
  const places = new Map<string, GuiltyPlace>();
  for (const frame of own.length > 0 ? own : guilty) {
    const key = `${frame.line} ${frame.file}`;
    if (!places.has(key)) places.set(key, { function: frame.function, file: frame.file, line: frame.line });
  }
  return [...places.values()].slice(0, MOST);
};
