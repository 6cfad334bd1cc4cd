import type { Fix, Look, Quote } from '../model/index.ts';
import { type CoredumpsData, coredumps } from '../probes/coredumps.ts';
import type { Anatomy } from '../reading/crash-core.ts';
import type { Death } from '../reading/crash-deaths.ts';
import type { ToldCrash } from '../reading/crash-told.ts';
import type { Crashes } from '../reading/crashes.ts';
import { frameName } from '../reading/python.ts';
import { signalName } from '../reading/signals.ts';
import { code, count, duration, list, shellQuote, utc, visible } from '../reading/text.ts';

/** `pairs.cpython-311-x86_64-linux-gnu.so`, for titles; the whole path stands in the summary. */
export const baseName = (path: string): string => path.replace(/^.*\//, '');

/** Who died, in relation to the process that was asked about. */
export const whoDied = (crashes: Crashes): string => {
  switch (crashes.role) {
    case 'child':
      return 'Workers of this process';
    case 'sibling':
      return `Workers beside this one, of the same master (process ${crashes.who.data.parent?.pid ?? '?'}),`;
    case 'predecessor':
      return 'Predecessors of this process';
  }
};

/** `by SIGSEGV`, `by SIGABRT and SIGSEGV`. */
export const bySignals = (deaths: readonly Death[]): string =>
  `by ${list([...new Set(deaths.map((death) => signalName(death.signal)))].sort())}`;

/** `4 times in 12 s, the last one 3 s before the look`. */
export const howOften = (crashes: Crashes): string => {
  const times = crashes.deaths.flatMap((death) => death.time ?? []);
  const first = Math.min(...times);
  const last = Math.max(...times);
  const number = crashes.deaths.length;
  const often = number === 1 ? 'once' : `${number} times`;
  if (times.length === 0) return `${often}, at times that nothing tells`;
  const span = last - first >= 1 && number > 1 ? ` in ${duration(last - first)}` : '';
  const ago = Math.max(0, crashes.now - last);
  const when = ago < 3 ? 'while it was looked at or just before' : `${duration(ago)} before the look, at ${utc(last)}`;
  return `${often}${span}, the last one ${when}`;
};

/** `process 812 (SIGSEGV), process 815 (SIGABRT)`: the newest few. */
export const theDead = (deaths: readonly Death[]): string => {
  const named = deaths.filter((death) => death.pid !== null).slice(-4);
  const words = named.map((death) => `process ${death.pid} (${signalName(death.signal)})`);
  return words.length === 0 ? 'no log or trace names the dead ones' : list(words);
};

/** `` `join` of `pairs.so` (pairs.c:17) `` for the place where it crashed; null without C frames. */
export const placeOf = (anatomy: Anatomy): string | null => {
  const frame = anatomy.foreign ?? anatomy.frames[0];
  if (frame === undefined) return null;
  const line = frame.file === null || frame.line === null ? '' : ` (${code(`${frame.file}:${frame.line}`, 120)})`;
  const name = frame.function === null ? 'a function without a symbol' : code(frame.function, 100);
  return `${name} of ${code(baseName(frame.object), 100)}${line}`;
};

/** The Python line above it, from the core or from what faulthandler wrote: `` `handle` (/srv/app.py:7) ``; null when neither tells. */
export const pythonPlace = (anatomy: Anatomy | null, told: ToldCrash | null): string | null =>
  anatomy !== null && anatomy.own !== null
    ? frameName(anatomy.own)
    : told !== null && told.own !== null
      ? `${code(told.own.function)} (${code(`${told.own.file}:${told.own.line}`)})`
      : null;

/** The lines of a log that tell of a fatal error and of where it was. */
export const toldQuotes = (look: Look, told: ToldCrash | null): Quote[] =>
  told === null
    ? []
    : [told.at, ...(told.own === null ? [] : [told.own.at])].map((at) => look.quote(told.evidenceId, at));

/** The decisive lines of a core: who it was, where it crashed, and the Python line. */
export const coreQuotes = (look: Look, anatomy: Anatomy): Quote[] => {
  const frames = [anatomy.frames[0], anatomy.foreign].flatMap((frame) => (frame ? [frame.at] : []));
  const python = anatomy.own === null ? [] : [anatomy.own.at];
  return [...new Set([anatomy.data.core.at, ...frames, ...python])].map((at) => look.quote(anatomy.evidenceId, at));
};

/** The lines that tell of the deaths, newest first, at most `most` of them; cores only when none was opened. */
export const deathQuotes = (look: Look, deaths: readonly Death[], most: number, anatomy: Anatomy | null): Quote[] => {
  const seen = new Set<string>();
  const dumps = look.see(coredumps);
  return deaths
    .toReversed()
    .flatMap((death) => death.quotes.slice(0, 2))
    .filter((quote) => {
      const key = `${quote.evidenceId}:${quote.line}`;
      if (anatomy !== null && dumps.seen && quote.evidenceId === dumps.evidenceId) return false;
      return seen.has(key) ? false : seen.add(key) !== undefined;
    })
    .slice(0, most);
};

/** Whether what was mapped then and what lies on disk now differ; a sentence with both build ids, or an empty text. */
export const mismatch = (anatomy: Anatomy): string => {
  const files = [anatomy.data.core.executable, anatomy.data.core.crashedIn].filter((file) => file !== null);
  const [changed] = files.filter(
    (file) => file.buildId !== null && file.onDisk !== null && file.buildId !== file.onDisk,
  );
  return changed === undefined
    ? ''
    : ` The core was written by another build of ${code(changed.path, 200)} (build id ${changed.buildId}) than lies there now (${changed.onDisk}): function names and lines may be wrong until the file of that build is used.`;
};

/** Why the kernel wrote no core, as far as settings tell. */
const whyNoCore = (data: CoredumpsData): string => {
  const limits = data.limits.filter((limit) => limit.soft === 0);
  const { text } = data.pattern;
  if (text.startsWith('|')) return `cores go to ${code(text, 160)}; ask its tool, for example coredumpctl or apport`;
  if (limits.length > 0)
    return `the limit on cores is 0 for ${list(limits.slice(0, 3).map((limit) => `process ${limit.pid}`))}`;
  return `kernel.core_pattern is ${code(text, 160)}, and the folders that it means hold no core of this family`;
};

const unitOf = (crashes: Crashes): string | null =>
  /([\w@.\\-]+\.service)(\/|$)/.exec(crashes.who.data.cgroup?.path ?? '')?.[1] ?? null;

/** How to get a core the next time, with the limits and the pattern of this host; null when one was read. */
export const coreFix = (look: Look, crashes: Crashes, anatomy: Anatomy | null): Fix | null => {
  if (anatomy !== null) return null;
  const dumps = look.see(coredumps);
  const master = crashes.role === 'sibling' ? (crashes.who.data.parent?.pid ?? look.target.pid) : look.target.pid;
  const unit = unitOf(crashes);
  const persistent =
    unit === null
      ? 'ulimit -c unlimited     # in the script that starts the service'
      : `systemctl edit ${unit}     # add: [Service]\\nLimitCORE=infinity`;
  return {
    title: 'Have the next crash leave a core',
    detail:
      `There is no core to look into${dumps.seen ? `: ${whyNoCore(dumps.data)}` : ''}. The limit can be raised for the running master, and workers that it forks from then on inherit it; the pattern is the host’s. ` +
      'Look again after the next crash: the function and the Python line are then named.',
    code: `prlimit --pid ${master} --core=unlimited:unlimited\n${persistent}\nmkdir -m 1777 -p /var/tmp/cores && sysctl -w kernel.core_pattern=/var/tmp/cores/core.%e.%p.%t     # the whole host; note the old value first`,
  };
};

/** What names the Python line of a crash without any core. */
export const faultHandlerFix = (crashes: Crashes): Fix => ({
  title: 'Have the interpreter say in which line it dies',
  detail:
    'faulthandler writes the Python stack of every thread to standard error when a fault ends the process, at no cost until then.',
  code: `PYTHONFAULTHANDLER=1     # in the environment of the service; or at the top of the program:\nimport faulthandler; faulthandler.enable()${unitOf(crashes) === null ? '' : `\nsystemctl edit ${unitOf(crashes)}     # add: [Service]\\nEnvironment=PYTHONFAULTHANDLER=1`}`,
});

/** Which package a shared object is of, and how to get its symbols. */
export const packageFix = (object: string, crashes: Crashes, anatomy: Anatomy | null): Fix => {
  const python = crashes.who.data.exe?.path ?? 'python3';
  const interpreter = /python/.test(python) ? python : 'python3';
  const buildId = anatomy?.data.core.crashedIn?.path === object ? (anatomy.data.core.crashedIn.buildId ?? null) : null;
  const core = anatomy === null ? '' : `\ngdb -nx ${shellQuote(python)} ${shellQuote(anatomy.data.core.path)} -ex bt`;
  return {
    title: `Pin or replace ${visible(baseName(object)).slice(0, 80)}`,
    detail:
      `Find which package and version it is of, go back to the version before the crashes began or forward to one in which it is fixed, and report the stack to its authors. ` +
      `A build with symbols (${buildId === null ? 'compiled with -g' : `of build id ${buildId}`}) makes the stack name lines.`,
    code: `dpkg -S ${shellQuote(object)} || rpm -qf ${shellQuote(object)} || ${shellQuote(interpreter)} -m pip list -v | grep -i ${shellQuote(baseName(object).split('.')[0] ?? '')}${core}`,
  };
};

/** What to do when it is no foreign extension's code: a call through ctypes, a cut mapping, an endless recursion; else null. */
export const ownCodeFix = (
  crashes: Crashes,
  anatomy: Anatomy | null,
  told: ToldCrash | null,
  object: string | null,
): Fix | null => {
  const place = pythonPlace(anatomy, told) ?? 'the code that does it';
  if (anatomy?.moment === 'recursion') {
    return {
      title: 'Bound the recursion',
      detail: `The C stack was full before sys.setrecursionlimit() stopped ${place}: set the limit back to about 1,000, or give threads a larger stack (threading.stack_size), and make a loop of it or check the depth.`,
      code: 'sys.setrecursionlimit(1000)     # a RecursionError with a traceback instead of a crash',
    };
  }
  if (object !== null && /\/?_ctypes\.|\/?libffi/.test(object)) {
    return {
      title: 'Check the call through ctypes',
      detail: `${place} calls C code with what it does not expect: declare argtypes and restype (a pointer that is taken for an int is cut to 32 bits), keep buffers and callbacks alive for as long as C uses them, and check pointers for NULL.`,
    };
  }
  if (crashes.deaths.some((death) => death.signal === 7)) {
    return {
      title: 'Do not cut a file that is mapped',
      detail: `SIGBUS comes from a page of a mapping that its file no longer has (mmap(2)): somebody truncated it, or its disk was full or failed, while ${place} read it. Write a new file and rename it over the old one.`,
    };
  }
  return null;
};

/** Keeping the service up until it is fixed. */
export const stormFix = (place: string | null): Fix => ({
  title: 'Keep the crash away from users until it is fixed',
  detail:
    `${place === null ? 'Find the request that leads there' : `Do what ${place} does in a child process of its own, or switch that feature off`}: a crash then costs one call and not a worker with all its requests, which the proxy answers with 502. ` +
    'Let the master wait between respawns, so that workers that die at start do not fill the log and the disk with cores.',
  code: `journalctl -f | grep -E 'segfault|signal (11|6)|SIGSEGV|SIGABRT'     # verify: nothing more for longer than the usual gap`,
});

/** `2 cores`, for summaries. */
export const coresSeen = (deaths: readonly Death[]): string => {
  const cores = deaths.filter((death) => death.core !== null).length;
  return cores === 0 ? 'no core' : count(cores, 'core');
};
