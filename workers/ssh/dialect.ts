import { hostKit } from '../host-kit/kit.ts';
import { fillTemplate } from '../host-kit/template.ts';
import { type Lines, sharedBytes } from './lines.ts';
import { quoteWord } from './quote.ts';
import { type CarriedScript, FOUND_FIRST, type RemoteStep } from './remote-step.ts';

/** Bytes of a step's error output that are kept, if it may have as many. */
export const STDERR_LIMIT = 256 * 1024;

/** How steps are written down for the runner of a host. */
export interface Dialect {
  /** The lines that start a step; null for one that this runner does not run. `seconds` is whole. */
  readonly lines: (number: number, step: RemoteStep, seconds: number) => Lines | null;
  /** Has the host wait for the end of the step before it, hearing nothing meanwhile: only behind one that is quick. */
  readonly wait: string;
}

/** For the runner that is sent: scripts are carried to its folder once, and any command is quoted. `$D` and `$F` are its own. */
export const sentDialect = (): Dialect => {
  /** Paths on the host by name, then by text. The texts are the probes' own, and no look keeps a copy of them. */
  const scripts = new Map<string, Map<string, string>>();

  /**
   * The lines that bring a script to the host, none when it is there already. Scripts keep their names, side by side in one
   * folder, so that one can load another; only a second text of the same name gets another folder.
   */
  const carry = (script: CarriedScript): Lines => {
    const namesakes = scripts.get(script.name) ?? new Map<string, string>();
    if (namesakes.has(script.content)) return [];
    const file = `scripts${namesakes.size}/${script.name}`;
    scripts.set(script.name, namesakes.set(script.content, file));
    return [sharedBytes(script.content, file, () => `sb_put ${file} ${quoteWord(script.content)}\n`)];
  };

  const inShell = (word: string, carried: readonly CarriedScript[]): string =>
    word
      .split(/(\{script:[A-Za-z0-9._-]+\})/)
      .map((part) => {
        const script = carried.find(({ name }) => part === `{script:${name}}`);
        return script === undefined
          ? quoteWord(part)
          : `"$D"/${scripts.get(script.name)?.get(script.content) ?? script.name}`;
      })
      .filter((part, at) => part !== "''" || at === 0)
      .join('');

  return {
    wait: 'wait "$!"\n',
    lines: (number, step, seconds) => {
      const carried = step.scripts.flatMap(carry);
      const { pid, startTime } = step.target ?? { pid: 0, startTime: '0' };
      const first = startTime === FOUND_FIRST;
      const stderr = Math.min(step.bytes, STDERR_LIMIT);
      const head = [
        number,
        seconds,
        step.endWith,
        step.bytes,
        stderr,
        step.ptraces ? 1 : 0,
        pid,
        first ? '"$F"' : startTime,
      ];
      const words = step.argv.map((word) => (first && word === FOUND_FIRST ? '"$F"' : inShell(word, step.scripts)));
      return [...carried, `sb_run ${head.join(' ')} ${words.join(' ')}\n`];
    },
  };
};

/** For a runner that is installed: a step is the number of one of its templates and what fills it (infra/host/serve.sh). */
export const installedDialect = async (): Promise<Dialect> => {
  const { templates } = await hostKit();
  return {
    // Nobody can have it wait: who goes away is to be noticed there at once.
    wait: '',
    lines: (number, step, seconds) => {
      const filled = fillTemplate(templates, { ...step, seconds });
      if (filled === null) return null;
      const { index, pid, startTime, words } = filled;
      const start = startTime === FOUND_FIRST ? '?' : startTime;
      const head = ['run', number, index, filled.seconds, step.bytes, pid, start, words.length];
      return [`${head.join(' ')}\n${words.map((word) => `=${word}\n`).join('')}`];
    },
  };
};
