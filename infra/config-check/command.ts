import { checkConfig, type Judges } from './check.ts';
import type { Side } from './environment.ts';

export const CONFIG_USAGE =
  'straceback config check [--for bot|worker|up] [--config FILE]   names everything that is wrong with the configuration';

const SIDES: readonly string[] = ['bot', 'worker', 'up'] satisfies Side[];
const isSide = (word: string): word is Side => SIDES.includes(word);

/** Reads the words after `straceback config`; a sentence when they make no sense. */
export const readConfigArguments = (
  words: readonly string[],
): { readonly file: string | undefined; readonly side: Side | undefined } | string => {
  const [verb, ...options] = words;
  if (verb !== 'check') return `Only check can be asked for.\n  ${CONFIG_USAGE}`;
  let file: string | undefined;
  let side: Side | undefined;
  for (let at = 0; at < options.length; at += 2) {
    const [option, value] = options.slice(at, at + 2);
    if (option !== '--config' && option !== '--for') return `"${option}" is not understood.\n  ${CONFIG_USAGE}`;
    if (value === undefined) return `${option} needs a value.\n  ${CONFIG_USAGE}`;
    if (option === '--config') file = value;
    else if (isSide(value)) side = value;
    else return `--for is one of ${SIDES.join(', ')}.\n  ${CONFIG_USAGE}`;
  }
  return { file, side };
};

/** Checks and says what was found. The exit code: 0, or 2 with faults. */
export const runConfigCheck = async (
  asked: { readonly file: string | undefined; readonly side: Side | undefined },
  judges: Judges,
  print: { readonly out: (text: string) => void; readonly err: (text: string) => void },
): Promise<number> => {
  const { faults, summary } = await checkConfig(asked, judges);
  if (faults.length === 0) {
    print.out(`${summary}\n`);
    return 0;
  }
  print.err(`${faults.join('\n')}\n${faults.length === 1 ? '1 fault' : `${faults.length} faults`}\n`);
  return 2;
};
