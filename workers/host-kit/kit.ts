import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { loadProbes, probesFolder } from '../../playbooks/registry.ts';
import { shellText } from '../../playbooks/shell-text.ts';
import { quoteWord } from '../ssh/quote.ts';
import { RUNNER } from '../ssh/runner-text.ts';
import { errand, templatesOf } from './derive.ts';
import type { Slot, Template } from './template.ts';

/** What is installed on a host: the runner, the commands that it may run, and the scripts that they need. */
export interface HostKit {
  /** Twelve hex digits over all of it: two kits of one version are the same. */
  readonly version: string;
  readonly templates: readonly Template[];
  /** Text of each file by its path in the kit. */
  readonly files: ReadonlyMap<string, string>;
}

const hostFolder = path.join(import.meta.dirname, '../../infra/host');
const SCRIPT = /\.(?:py|sh|syscalls)$/;

/** What the worker asks a host beside probes: see `workers/look.ts`, `doctor.ts`, `finding/find.ts`, `ending/tell.ts`. */
const ERRANDS: readonly Template[] = [
  errand('last-check', ['true'], { seconds: 5, bytes: 16, guard: 'always' }),
  errand('os-release', ['cat', '/etc/os-release'], { seconds: 5, bytes: 8_192, guard: 'never' }),
  errand('list', ['sh', '{script:list.sh}', '{script:list.py}', { kind: 'text', most: 40 }], {
    seconds: 20,
    bytes: 16_000_000,
    guard: 'never',
  }),
  errand('end-of', ['sh', '{script:end.sh}', { kind: 'pid' }, { kind: 'text', most: 300 }], {
    seconds: 18,
    bytes: 500_000,
    guard: 'never',
  }),
];

const ERRAND_SCRIPTS = ['finding/list.sh', 'finding/list.py', 'ending/end.sh'];

const shellWord = (text: string): string =>
  /^[A-Za-z0-9_./:=+-]+$/.test(text)
    ? text
    : text
        .split(/(\{script:[A-Za-z0-9._-]+\})/)
        .filter((part) => part !== '')
        .map((part) => {
          const script = /^\{script:(.+)\}$/.exec(part)?.[1];
          return script === undefined ? quoteWord(part) : `"$SCRIPTS/${script}"`;
        })
        .join('');

/** What must hold of the word of a slot, `at` being its place among the words, and how it stands in the command. */
const inShell = (slot: Slot, at: number): readonly [check: string | null, word: string] => {
  switch (slot.kind) {
    case 'word':
      return [null, shellWord(slot.text)];
    case 'pid':
      return [null, '"$a_pid"'];
    case 'start':
      return [null, '"$a_start"'];
    case 'python':
      return ['python', '"$a_python"'];
    case 'keep':
      return [null, '"$KEEP"'];
    case 'tool':
      return [null, `"$(a_tool ${quoteWord(slot.name)})"`];
    case 'number':
      return [`number "\${${at}}" ${slot.min} ${slot.max}`, `"\${${at}}"`];
    case 'text':
      return [`text "\${${at}}" ${slot.most}`, `"\${${at}}"`];
  }
};

/** One line of steps.sh: what holds of the words that came, and the command that they fill. */
const caseOf = ({ name, slots, seconds, bytes, endWith, ptraces, impacts, guard }: Template, index: number): string => {
  const comes = (slot: Slot) => slot.kind === 'number' || slot.kind === 'text';
  const parts = slots.map((slot, at) => inShell(slot, slots.slice(0, at + 1).filter(comes).length));
  const checks = parts.flatMap(([check]) => check ?? []);
  const needsPid = slots.some((slot) => slot.kind === 'pid') ? 1 : 0;
  const limits = [guard, seconds, bytes, endWith, ptraces ? 1 : 0, needsPid];
  const all = [
    `[ $# = ${slots.filter(comes).length} ]`,
    ...checks,
    `allow ${name} ${quoteWord(impacts.join(' '))} ${limits.join(' ')}`,
    `go ${parts.map(([, word]) => word).join(' ')}`,
  ];
  return `    ${index}) ${all.join(' && ')} ;;`;
};

const stepsOf = (templates: readonly Template[]): string =>
  `# Made from the declarations of the probes: the commands that may be run, and what may fill them.
template() {
  a_template=$1
  a_why="a text or number of this step is not as it must be"
  shift
  case $a_template in
${templates.map(caseOf).join('\n')}
    *) return 1 ;;
  esac
}
`;

/** The runner's own functions: what starts it on hosts that are sent it is left to serve.sh. */
const coreOf = (): string => {
  const [core, rest] = RUNNER.split(/^sb_start\n/m);
  if (core === undefined || rest !== '') throw new Error('runner.sh does not end with the start of the runner');
  return core;
};

const build = async (): Promise<HostKit> => {
  const probes = await loadProbes();
  const templates = [...[...probes.values()].flatMap(templatesOf), ...ERRANDS];
  const own = (name: string) => shellText(path.join(hostFolder, name));
  const files = new Map<string, string>([
    ['runner', own('runner.sh')],
    ['login', own('login.sh')],
    ['serve.sh', own('serve.sh')],
    ['limit.sh', own('limit.sh')],
    ['core.sh', coreOf()],
    ['steps.sh', stepsOf(templates)],
  ]);
  const scripts = (await readdir(probesFolder)).filter((name) => SCRIPT.test(name)).sort();
  // With their comments: an administrator may want to read what runs on the host.
  for (const name of scripts) {
    const file = path.join(probesFolder, name);
    files.set(`scripts/${name}`, name.endsWith('.sh') ? shellText(file) : await readFile(file, 'utf8'));
  }
  for (const name of ERRAND_SCRIPTS) {
    files.set(`scripts/${name.replace(/^.*\//, '')}`, readFileSync(new URL(`../${name}`, import.meta.url), 'utf8'));
  }
  const sum = createHash('sha256');
  for (const [name, text] of files) sum.update(`${name}\0${Buffer.byteLength(text)}\0${text}`);
  const version = sum.digest('hex').slice(0, 12);
  files.set('steps.sh', `VERSION=${version}\n${files.get('steps.sh') ?? ''}`);
  files.set('version', `${version}\n`);
  files.set('install.sh', own('install.sh'));
  return { version, templates, files };
};

let built: Promise<HostKit> | undefined;

/** The kit of this program's probes, made once. Rejects when a probe's declaration cannot be checked on a host. */
export const hostKit = (): Promise<HostKit> => {
  built ??= build();
  return built;
};
