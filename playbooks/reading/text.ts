/** How findings write numbers, names and commands. Everything from a host is untrusted and passes through here. */

/** A word that a POSIX shell takes literally: left alone when harmless, else in single quotes (POSIX.1, 2.2.2). */
export const shellQuote = (word: string): string =>
  /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

/** An argv as a command that can be pasted into a shell. */
export const shellCommand = (argv: readonly string[]): string => argv.map(shellQuote).join(' ');

const visibleByte = (character: string): string => {
  const code = character.codePointAt(0) ?? 0;
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
};

/**
 * Text with control characters, line separators, direction marks, invisible characters and lone surrogates as escapes,
 * so a hostile name stays on its line and reads as what it is.
 */
export const visible = (text: string): string =>
  text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\p{Cs}\u{e0000}-\u{e007f}]/gu,
    visibleByte,
  );

/** At most `length` characters, the end replaced by an ellipsis; never half of a surrogate pair. */
export const clip = (text: string, length: number): string => {
  const characters = Array.from(text);
  return characters.length <= length ? text : `${characters.slice(0, Math.max(0, length - 1)).join('')}…`;
};

/** A name from the host as inline code: visible, bounded, without backticks that would end it. */
export const code = (text: string, length = 160): string => `\`${clip(visible(text), length).replaceAll('`', "'")}\``;

/** `1 thread`, `3 threads`; an irregular plural may be given. */
export const count = (number: number, noun: string, plural = `${noun}s`): string =>
  `${number.toLocaleString('en-US')} ${number === 1 ? noun : plural}`;

/** `a`, `a and b`, `a, b and c`. */
export const list = (words: readonly string[], last = 'and'): string =>
  words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} ${last} ${words[words.length - 1]}`;

/** A share between 0 and 1 as a percentage; `over 99 %` instead of a rounded 100 %. */
export const percent = (share: number): string => {
  if (!Number.isFinite(share)) return 'an unknown share';
  if (share > 0.995 && share < 1) return 'over 99 %';
  return `${Math.round(share * 100)} %`;
};

/** A size in KiB with the unit that suits it: `512 KiB`, `1.5 GiB`. */
export const kib = (size: number): string => {
  if (size < 1024) return `${Math.round(size)} KiB`;
  if (size < 1024 * 1024) return `${(size / 1024).toFixed(size < 10 * 1024 ? 1 : 0)} MiB`;
  return `${(size / 1024 / 1024).toFixed(1)} GiB`;
};

/** A size in bytes with the unit that suits it. */
export const bytes = (size: number): string => (size < 1024 ? count(size, 'byte') : kib(size / 1024));

/** A length of time in seconds as a person says it: `0.35 s`, `12 s`, `4 min 10 s`, `3 h 2 min`, `5 days`. */
export const duration = (seconds: number): string => {
  if (!Number.isFinite(seconds) || seconds < 0) return 'an unknown time';
  if (seconds < 10) return `${Number(seconds.toFixed(seconds < 1 ? 2 : 1))} s`;
  const whole = Math.round(seconds);
  if (whole < 120) return `${whole} s`;
  if (whole < 7200) return whole % 60 === 0 ? `${whole / 60} min` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 172_800) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return count(Math.floor(whole / 86_400), 'day');
};

/** Line numbers as a person writes them: `49`, `49-53`. Empty for none. */
export const lineRange = (lines: readonly number[]): string => {
  if (lines.length === 0) return '';
  const low = Math.min(...lines);
  const high = Math.max(...lines);
  return low === high ? `${low}` : `${low}-${high}`;
};

/** Seconds since 1970 as UTC, `2024-05-01 12:00:03 UTC`. */
export const utc = (time: number): string => {
  const date = new Date(time * 1000);
  return Number.isNaN(date.getTime())
    ? 'an unknown time'
    : `${date
        .toISOString()
        .replace('T', ' ')
        .replace(/\.\d+Z$/, '')} UTC`;
};
