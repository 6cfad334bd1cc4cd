import { signalName } from './signals.ts';

/** Signals by which the kernel or the program itself ends a process whose memory or state went wrong (signal(7)). */
const CRASHES = new Set([4, 6, 7, 8, 11]);

/** SIGILL, SIGABRT, SIGBUS, SIGFPE or SIGSEGV: the program went wrong. SIGKILL and SIGTERM are somebody else's decision. */
export const isCrash = (signal: number | null): boolean => signal !== null && CRASHES.has(signal);

/** 11 for `SIGSEGV` or `SEGV`; null for a name that is none. */
export const signalNumber = (name: string): number | null => {
  const full = name.startsWith('SIG') ? name : `SIG${name}`;
  for (let number = 1; number < 32; number++) if (signalName(number) === full) return number;
  return null;
};

/** A process's end as a line tells it. */
export interface ToldEnd {
  /** Null when the line does not say which process. */
  readonly pid: number | null;
  /** Null when it ended by itself or the line does not say. */
  readonly signal: number | null;
}

const PIDS = [
  /\bpid\W{0,3}(\d{1,10})\b/i,
  /\bprocess\W{0,3}(\d{1,10})\b/i,
  /\bchild(?: process)?\W{0,3}(\d{1,10})\b/i,
  /\bworker\W{0,3}(\d{2,10})\b/i,
  /\b\w*(?:worker|child|process)\w*\W{1,3}\d{0,3}\W{1,3}(\d{2,10})\b/i,
];

const numberIn = (text: string): number | null => {
  const named = /\bSIG([A-Z]{2,5})\b/.exec(text)?.[1] ?? /\bstatus=\d{1,3}\/([A-Z]{2,5})\b/.exec(text)?.[1];
  if (named !== undefined) return signalNumber(named);
  const word = /\bsignal:? ?\(?-?(\d{1,2})\b/i.exec(text)?.[1];
  if (word !== undefined) return Number(word);
  const negative = /(?:code|status|return(?:code)?)\W{0,3}-(\d{1,2})\b/i.exec(text)?.[1];
  if (negative !== undefined) return Number(negative);
  // 128 and the signal, as shells say it; a raw wait status with the core flag is the same number (wait(2)).
  const shell = /(?:code|status|return(?:code)?)\W{0,3}(1[2-6]\d)\b/i.exec(text)?.[1];
  if (shell !== undefined) return Number(shell) - 128;
  return /segmentation fault/i.test(text) ? 11 : /\bbus error\b/i.test(text) ? 7 : null;
};

/** What a log line says of a process's end, in the words of uWSGI, gunicorn, Celery, systemd, supervisord and shells. */
export const toldEnd = (line: string): ToldEnd => {
  const pid = PIDS.map((pattern) => pattern.exec(line)?.[1]).find((found) => found !== undefined);
  return { pid: pid === undefined ? null : Number(pid), signal: numberIn(line) };
};

/** A child's end as a trace shows it: in the status of wait4(2) or waitid(2), or in SIGCHLD's siginfo. */
export interface TracedEnd extends ToldEnd {
  /** Exit status; null when it was ended by a signal. */
  readonly status: number | null;
}

/** Reads the arguments and result of a returned wait call; null when no child had ended. */
export const waitedEnd = (name: string, args: string, result: string | null): TracedEnd | null => {
  if (result === null) return null;
  if (name === 'wait4' || name === 'waitpid') {
    const pid = /^\d+/.exec(result)?.[0];
    if (pid === undefined || Number(pid) === 0) return null;
    const signal = /WTERMSIG\(s\) == (SIG[A-Z0-9]+)/.exec(args)?.[1];
    const status = /WEXITSTATUS\(s\) == (\d{1,3})/.exec(args)?.[1];
    if (signal === undefined && status === undefined) return null;
    return {
      pid: Number(pid),
      signal: signal === undefined ? null : signalNumber(signal),
      status: status === undefined ? null : Number(status),
    };
  }
  return name === 'waitid' ? childInfo(args) : null;
};

/** Reads `{si_signo=SIGCHLD, si_code=CLD_DUMPED, si_pid=12, …, si_status=SIGSEGV}`. */
export const childInfo = (text: string): TracedEnd | null => {
  const match = /si_code=CLD_(EXITED|KILLED|DUMPED), si_pid=(\d{1,10}),.*?si_status=(SIG[A-Z0-9]+|\d{1,3})/.exec(text);
  if (match === null) return null;
  const [, how, pid, status = ''] = match;
  return {
    pid: Number(pid),
    signal: how === 'EXITED' ? null : /^\d/.test(status) ? Number(status) : signalNumber(status),
    status: how === 'EXITED' ? Number(status) : null,
  };
};

/** Where the kernel says that a fault was: the file's name and, on newer kernels, the offset in it. */
export interface FaultPlace {
  readonly name: string;
  /** Bytes from where the file begins in memory, `0x1149`; null when it cannot be told. */
  readonly offset: string | null;
  /** Where that piece of the file was mapped, in hex. */
  readonly start: string;
}

/** Reads ` … in pairs.so[1149,7fb0b6043000+1000] …` of arch/x86/mm/fault.c and print_vma_addr() of mm/memory.c. */
export const faultPlace = (detail: string): FaultPlace | null => {
  const match = /\bin (\S.{0,254}?)\[(?:([0-9a-f]{1,16}),)?([0-9a-f]{1,16})\+[0-9a-f]{1,16}\]/.exec(detail);
  return match === null
    ? null
    : {
        name: match[1] ?? '',
        offset: match[2] === undefined ? null : `0x${match[2]}`,
        start: (match[3] ?? '').replace(/^0+(?=.)/, ''),
      };
};
