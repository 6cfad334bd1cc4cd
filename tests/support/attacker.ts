import { chmodSync, existsSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { type InstalledHost, openFolder, templateOf } from './installed-host.ts';
import { startProcess } from './live-process.ts';
import { startTimeOf } from './run-probe.ts';

/** A process as requests name it. */
export interface AskedProcess {
  readonly pid: number;
  readonly startTime: string;
}

/** A place for what an attacker brings, and the file that stands for code of theirs that ran. */
export interface AttackerPlace {
  readonly folder: string;
  /** Made by any of their code, as any user. */
  readonly marker: string;
  /** Holds that none of it ran. */
  readonly untouched: () => void;
}

/** A folder that anybody may write, gone after `endSshd`. */
export const attackerPlace = (): AttackerPlace => {
  const folder = openFolder();
  chmodSync(folder, 0o777);
  const marker = path.join(folder, 'owned');
  return { folder, marker, untouched: () => expect(existsSync(marker), 'the attacker ran something').toBe(false) };
};

/** Words that would run something, or read something, wherever they met a shell, gdb, awk or a format. */
export const hostileWords = (marker: string): string[] => [
  `$(touch ${marker})`,
  `\`touch ${marker}\``,
  `'; touch ${marker}; '`,
  `"; touch ${marker}; "`,
  `| touch ${marker}`,
  `!touch ${marker}`,
  `shell touch ${marker}`,
  `python open("${marker}", "w")`,
  `" ; system("touch ${marker}") ; "`,
  `--eval-command=shell touch ${marker}`,
  `-ex shell touch ${marker}`,
  `$IFS$9{script:gcore.sh}%s%n`,
  '../../../../etc/shadow',
  '-',
  '--',
  '*',
  '~root',
  '\\',
];

/** Steps of one template, numbered from `first` on, each with its own words and as much time as it may have. */
export const stepsOf = (
  host: InstalledHost,
  name: string,
  { pid, startTime }: AskedProcess,
  words: readonly (readonly string[])[],
  { first = 1, bytes = 4_096 } = {},
): string =>
  words
    .map((each, at) => {
      const { number, seconds } = templateOf(host, name, each.length);
      const head = ['run', first + at, number, seconds, bytes, pid, startTime, each.length];
      return `${head.join(' ')}\n${each.map((word) => `=${word}\n`).join('')}`;
    })
    .join('');

/** A Python that waits, as root; ended by `endProcesses`. */
export const sleeper = async (): Promise<AskedProcess> => {
  const live = await startProcess('/usr/bin/python3', ['-c', 'print("ready", flush=True); input()']);
  await live.line(/^ready/);
  return { pid: live.pid, startTime: startTimeOf(live.pid) };
};
