/** What the carried script says between strace's lines. */
export interface ScriptLines {
  /** It said anything: the output is that of the script and not of a bare strace. */
  readonly present: boolean;
  readonly detail: { readonly cut: boolean; readonly seconds: number; readonly exit: number } | null;
  readonly countSeconds: number | null;
  readonly tracedBy: number | null;
  readonly missing: boolean;
  readonly gone: boolean;
  readonly killed: boolean;
  readonly stillTracedBy: number | null;
}

const ENDED = /^== (detail|count) ended: (line limit|done), (\d{1,9}\.\d\d) s, \d+ lines, strace exit (\d{1,3})$/;

/** Finds what strace.sh says in its output; all empty when the output is that of a bare strace. */
export const readScriptLines = (lines: readonly string[]): ScriptLines => {
  const said = lines.filter((line) => line.startsWith('== '));
  const ends = said.map((line) => ENDED.exec(line)).filter((match) => match !== null);
  const detail = ends.find((end) => end[1] === 'detail');
  const count = ends.find((end) => end[1] === 'count');
  const number = (pattern: RegExp): number | null => {
    const found = said.map((line) => pattern.exec(line)?.[1]).find((match) => match !== undefined);
    return found === undefined ? null : Number(found);
  };
  return {
    present: said.length > 0,
    detail:
      detail === undefined
        ? null
        : { cut: detail[2] === 'line limit', seconds: Number(detail[3]), exit: Number(detail[4]) },
    countSeconds: count === undefined ? null : Number(count[3]),
    tracedBy: number(/^== refused: already traced by process (\d{1,10})$/),
    missing: said.includes('== missing: strace'),
    gone: said.some((line) => line.startsWith('== gone: ')),
    killed: ends.some((end) => end[4] === '137'),
    stillTracedBy: number(/^== after: state \S, tracer ([1-9]\d{0,9})$/),
  };
};

/** Threads that strace says it took or let go of, in order of their ids. */
export const attachedThreads = (messages: string): number[] => {
  const said = messages.matchAll(/(?:^|strace: )Process (\d{1,10}) (?:attached|detached)\b/gm);
  return [...new Set([...said].map((match) => Number(match[1])))].sort((a, b) => a - b);
};
