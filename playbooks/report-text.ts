import type { Report } from './model/index.ts';
import { bytes, clip, duration, visible } from './reading/text.ts';
import { type ReportPart, reportParts } from './report-parts.ts';
import { inLanguage, type Language } from './words/index.ts';

const WIDTH = 92;
/** The literal text of a line of evidence beyond this is left to the evidence itself. */
const MAX_LINE = 1_000;

const WIDE = /[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uff60]/;

const EMOJI = /[\u{1f300}-\u{1faff}]/u;

/** Columns of a terminal: Chinese characters, full-width marks and emoji take two. */
const columns = (text: string): number => {
  let sum = 0;
  for (const character of text) sum += WIDE.test(character) || EMOJI.test(character) ? 2 : 1;
  return sum;
};

/** Chinese has no spaces: a line may end after each of its characters, but not before a mark that closes or after one that opens. */
const PIECE =
  /( *)((?:[（“《]*(?:[\u2e80-\u2fff\u3005-\u9fff]|[^ \u2e80-\u9fff\uff00-\uff60]+)|[（“《])[，。；：、）”》！？…]*|[^ ])/gu;

const wrapWide = (text: string, width: number): string[] => {
  const lines: string[] = [];
  let line = '';
  for (const [, space = '', piece = ''] of text.matchAll(PIECE)) {
    if (line !== '' && columns(line) + space.length + columns(piece) > width) {
      lines.push(line);
      line = piece;
    } else line += `${line === '' ? '' : space}${piece}`;
  }
  return line === '' ? lines : [...lines, line];
};

/** Lines of at most `width` columns; a word that is longer stands alone on its line, uncut. */
const wrap = (text: string, width: number): string[] => {
  if (WIDE.test(text)) return wrapWide(text, width);
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return line === '' ? lines : [...lines, line];
};

/** Several lines, each made visible by itself and wrapped; `first` before the first line, `rest` before the others. */
const paragraph = (text: string, first: string, rest = ' '.repeat(first.length)): string[] =>
  text
    .split('\n')
    .flatMap((line) => wrap(visible(line.trimEnd()), WIDTH - first.length))
    .map((line, index) => `${index === 0 ? first : rest}${line}`);

/** Code is never wrapped; tabs stay, because a Makefile or a patch needs them. */
const codeLines = (text: string): string[] =>
  text.split('\n').map((line) => `    ${line.split('\t').map(visible).join('\t')}`);

const quoteLine = (line: { at: string; text: string }): string => {
  const shown = visible(line.text);
  const cut = shown.length > MAX_LINE ? ` (${shown.length} characters, cut)` : '';
  return `  ${line.at} ${clip(shown, MAX_LINE)}${cut}`;
};

const partLines = (part: ReportPart): string[] => {
  switch (part.kind) {
    case 'heading': {
      const lines = paragraph(part.text, '');
      return ['', ...lines, '-'.repeat(Math.min(WIDTH, Math.max(0, ...lines.map(columns))))];
    }
    case 'text':
      return [...paragraph(part.text, ''), ''];
    case 'item':
      return paragraph(part.text, '- ');
    case 'quotes':
      return [...part.lines.map(quoteLine), ''];
    case 'code':
      return [...codeLines(part.text), ''];
    case 'note':
      return ['', ...paragraph(part.text, '')];
  }
};

const evidenceTable = (report: Report, language: Language): string[] => {
  if (report.evidence.length === 0) return [];
  const rows = report.evidence.map((entry) => [
    entry.id,
    entry.probe,
    entry.exit === null ? 'did not exit' : `exit ${entry.exit}`,
    duration(entry.seconds),
    `${bytes(entry.bytes)}${entry.truncated ? ', cut' : ''}`,
    clip(visible(entry.command), 300),
  ]);
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `  ${row.map((cell, column) => (column < 5 ? cell.padEnd(widths[column] ?? 0) : cell)).join('  ')}`;
  return [...partLines({ kind: 'heading', text: inLanguage('Evidence', language) }), ...rows.map(line)];
};

/** No two empty lines in a row, none at the start, one newline at the end. */
const tidy = (lines: readonly string[]): string =>
  `${lines
    .map((line) => line.trimEnd())
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim()}\n`;

/** Parts as plain text, like a report: for a file. Pure. */
export const partsText = (parts: readonly ReportPart[]): string => tidy(parts.flatMap(partLines));

/**
 * The whole report as plain text for a terminal of 80 to 100 columns or a file: no colours, no control characters but
 * newlines and the tabs of code. What the table of evidence says stays English: it is commands. Pure.
 */
export const reportText = (report: Report, language: Language = 'en'): string => {
  const parts = reportParts(report, language);
  const footer = parts.at(-1);
  const body = footer?.kind === 'note' ? parts.slice(0, -1) : parts;
  return tidy([
    ...body.flatMap(partLines),
    ...evidenceTable(report, language),
    ...(footer?.kind === 'note' ? partLines(footer) : []),
  ]);
};
