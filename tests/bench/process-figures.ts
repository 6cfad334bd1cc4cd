import { readFile } from 'node:fs/promises';

/** What a process costs. */
export interface ProcessFigures {
  /** Resident memory now and at its highest, MiB (VmRSS and VmHWM in proc(5)). */
  readonly rss: number;
  readonly peak: number;
  /** Processor time since it began, its threads' included, s (fields 14 and 15 of /proc/PID/stat, in ticks of 10 ms). */
  readonly cpu: number;
}

/** Reads what a process of this machine costs. Rejects when there is none. */
export const processFigures = async (pid: number): Promise<ProcessFigures> => {
  const [status, stat] = await Promise.all([
    readFile(`/proc/${pid}/status`, 'utf8'),
    readFile(`/proc/${pid}/stat`, 'latin1'),
  ]);
  const mebibytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { rss: mebibytes('VmRSS'), peak: mebibytes('VmHWM'), cpu: (Number(fields[11]) + Number(fields[12])) / 100 };
};
