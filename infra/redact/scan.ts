import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

/**
 * Secrets that are known by their own form, wherever they stand: private keys over many lines, and what secretlint's
 * recommended rules find (tokens of some thirty services, credentials in addresses, service accounts).
 */

const BEGIN = /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----/;
const END = /-----END [A-Z ]{0,40}PRIVATE KEY-----/;
/** A key of 16,384 bits has fewer lines. */
const MOST_KEY_LINES = 250;
/** What is shorter is replaced nowhere but in its place: it would be found in words. */
const SHORTEST = 6;

/** The lines of private keys. One whose end is missing (cut output) goes on for as long as its lines look like one. */
export const keyLines = (text: string): string[] => {
  if (!text.includes('PRIVATE KEY-----')) return [];
  const found: string[] = [];
  let left = 0;
  for (const line of text.split('\n')) {
    if (BEGIN.test(line)) left = MOST_KEY_LINES;
    else if (left > 0 && (END.test(line) || !/^[\sA-Za-z0-9+/=:,.#|>"'\\-]{0,200}$/.test(line))) left = 0;
    else if (left > 0) {
      left -= 1;
      const body = line.trim();
      if (body.length >= SHORTEST) found.push(body);
    }
  }
  return found;
};

/** secretlint's own profiler, which has no setting. */
interface Profiler {
  readonly secretLintProfiler?: { mark: (marker: unknown) => void };
}

/**
 * Keeps secretlint from noting when each rule began and ended. It keeps all such marks for good and looks through them at each
 * new one: made for a command that ends, it takes a program that stays more time and memory with every look. The profiler is
 * looked for from where secretlint is, since only the very one that it uses is meant.
 */
const stopProfiling = async (): Promise<void> => {
  const core = createRequire(import.meta.url).resolve('@secretlint/core');
  const file = createRequire(core).resolve('@secretlint/profiler');
  const { secretLintProfiler } = (await import(pathToFileURL(file).href)) as Profiler;
  if (secretLintProfiler !== undefined) secretLintProfiler.mark = () => {};
};

/** Loaded at the first look: a program that only prints its help needs none of it. */
const loadRules = async () => {
  const [{ lintSource }, { creator }] = await Promise.all([
    import('@secretlint/core'),
    import('@secretlint/secretlint-rule-preset-recommend'),
    stopProfiling(),
  ]);
  const rules = [{ id: '@secretlint/secretlint-rule-preset-recommend', rule: creator }];
  return async (content: string): Promise<string[]> => {
    const result = await lintSource({
      source: { content, filePath: 'evidence.txt', ext: '.txt', contentType: 'text' },
      options: { config: { rules }, noPhysicFilePath: true },
    });
    return result.messages.map(({ range: [from, to] }) => content.slice(from, to));
  };
};

let rules: ReturnType<typeof loadRules> | null = null;

/** Every secret of these forms in the texts, each once. Throws when the rules cannot be loaded or fail. */
export const scanForSecrets = async (texts: readonly string[]): Promise<ReadonlySet<string>> => {
  rules ??= loadRules();
  const scan = await rules;
  const found = new Set<string>();
  for (const text of texts) {
    for (const line of keyLines(text)) found.add(line);
    for (const secret of await scan(text)) {
      // Replacing goes line by line, so that the numbers of lines stay what they are.
      for (const line of secret.split('\n')) if (line.trim().length >= SHORTEST) found.add(line.trim());
    }
  }
  return found;
};
