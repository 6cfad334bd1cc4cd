/** Some consecutive lines of one file of evidence, literally. */
export interface Chunk {
  readonly evidenceId: string;
  readonly probe: string;
  /** Of the look that has the file, counted from the newest, from 0. */
  readonly look: number;
  readonly lines: readonly string[];
}

/** A file of evidence, without its secrets. */
export interface EvidenceText {
  readonly evidenceId: string;
  readonly probe: string;
  readonly text: string;
}

const MOST_LINES = 10;
const MOST_CHARS = 900;
/** A line's beginning is as literal as the line. */
const MOST_LINE = 240;
/** What is looked through of a file: linear, but this is done while looks run beside it. */
export const MOST_FILE_CHARS = 1_000_000;

/** Cuts a file where it has an empty line, or begins a new block (a line that is less indented than the one before), or is long. */
export const chunksOf = ({ evidenceId, probe, text }: EvidenceText, look: number): Chunk[] => {
  const chunks: Chunk[] = [];
  let lines: string[] = [];
  let chars = 0;
  let indent = 0;
  const end = () => {
    if (lines.length > 0) chunks.push({ evidenceId, probe, look, lines });
    lines = [];
    chars = 0;
  };
  for (const whole of text.slice(0, MOST_FILE_CHARS).split('\n')) {
    const line = whole.slice(0, MOST_LINE).replace(/[\ud800-\udbff]$/, '');
    if (line.trim() === '') {
      end();
      continue;
    }
    const deep = line.length - line.trimStart().length;
    if ((deep < indent && deep === 0) || lines.length === MOST_LINES || chars + line.length > MOST_CHARS) end();
    indent = deep;
    lines.push(line);
    chars += line.length + 1;
  }
  end();
  return chunks;
};
