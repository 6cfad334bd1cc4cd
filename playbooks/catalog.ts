import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { Playbook, type Probe, readYaml } from './model/index.ts';

/** One fault in a playbook file, for a person who has to mend it. */
export interface PlaybookFault {
  readonly file: string;
  readonly line: number;
  readonly reason: string;
}

/** Thrown at start when a playbook cannot be used; lists every fault of every file. */
export class BadPlaybooks extends Error {
  readonly faults: readonly PlaybookFault[];
  constructor(faults: readonly PlaybookFault[]) {
    super(faults.map((fault) => `${fault.file}:${fault.line}: ${fault.reason}`).join('\n'));
    this.name = 'BadPlaybooks';
    this.faults = faults;
  }
}

/**
 * Reads one playbook from YAML text and checks it against the probes that exist.
 * Returns the playbook, or every fault with the line it stands on.
 */
export const readPlaybook = (
  file: string,
  text: string,
  probes: ReadonlyMap<string, Probe>,
): { playbook: Playbook } | { faults: PlaybookFault[] } => {
  const read = readYaml(text);
  if ('faults' in read) return { faults: read.faults.map((fault) => ({ file, ...fault })) };
  const { lineOf } = read;
  const parsed = Playbook.safeParse(read.value);
  if (!parsed.success) {
    return {
      faults: parsed.error.issues.map((issue) => ({
        file,
        line: lineOf(issue.path),
        reason: `${issue.path.join('.') || 'playbook'}: ${issue.message}`,
      })),
    };
  }
  const playbook = parsed.data;
  const faults: PlaybookFault[] = [];
  const expected = path.basename(file).replace(/\.ya?ml$/, '');
  if (playbook.id !== expected) {
    faults.push({ file, line: lineOf(['id']), reason: `id is ${playbook.id}, but the file's name says ${expected}` });
  }
  if (playbook.shows !== undefined && !playbook.steps.some((step) => step.probe === playbook.shows)) {
    faults.push({ file, line: lineOf(['shows']), reason: `shows ${playbook.shows}, which is none of its steps` });
  }
  playbook.steps.forEach((step, index) => {
    const probe = probes.get(step.probe);
    if (probe === undefined) {
      const known = [...probes.keys()].join(', ');
      faults.push({
        file,
        line: lineOf(['steps', index, 'probe']),
        reason: `no probe is called ${step.probe}; there are ${known}`,
      });
      return;
    }
    const options = probe.options.safeParse(step.options);
    for (const issue of options.success ? [] : options.error.issues) {
      const at = ['steps', index, 'options', ...issue.path];
      faults.push({
        file,
        line: lineOf(at),
        reason: `option ${issue.path.join('.')} of ${step.probe}: ${issue.message}`,
      });
    }
  });
  return faults.length > 0 ? { faults } : { playbook };
};

/**
 * Loads every `*.yaml` of the folders, later folders replacing playbooks of the same id.
 * Throws BadPlaybooks, which names file, line and reason of everything that is wrong.
 */
export const loadPlaybooks = async (
  folders: readonly string[],
  probes: ReadonlyMap<string, Probe>,
): Promise<ReadonlyMap<string, Playbook>> => {
  const playbooks = new Map<string, Playbook>();
  const faults: PlaybookFault[] = [];
  for (const folder of folders) {
    const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
      faults.push({
        file: folder,
        line: 1,
        reason: `the folder of playbooks cannot be read (${error.code ?? error.message})`,
      });
      return [];
    });
    for (const name of names.filter((each) => /\.ya?ml$/.test(each)).sort()) {
      const file = path.join(folder, name);
      const result = readPlaybook(file, await readFile(file, 'utf8'), probes);
      if ('faults' in result) faults.push(...result.faults);
      else playbooks.set(result.playbook.id, result.playbook);
    }
  }
  if (faults.length > 0) throw new BadPlaybooks(faults);
  return playbooks;
};
