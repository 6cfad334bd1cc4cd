import type { Parsed } from '../model/index.ts';
import { keptBy } from '../reading/container-keeper.ts';
import { Facts, type Numbered } from './identify.facts.ts';
import type { IdentifyData } from './identify.ts';

type Relative = IdentifyData['children'][number];
const number = (text: string | undefined): number | null =>
  text !== undefined && /^\d{1,19}(\.\d{1,9})?$/.test(text) ? Number(text) : null;

const found = (pattern: RegExp, value: Numbered | null): RegExpExecArray | null =>
  value === null ? null : pattern.exec(value.text);

/** Undoes the script's escapes where the true text is wanted; bytes that made no character stay as they are. */
const plain = (text: string): string =>
  text.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_, hex: string | undefined, letter: string | undefined) =>
    hex === undefined ? (letter === 'n' ? '\n' : (letter ?? '')) : String.fromCharCode(Number.parseInt(hex, 16)),
  );

/** Names stand between quotes, in which a quote is `\"`. */
const unquoted = (text: string): string => text.replace(/\\"/g, '"');

const relative = (value: Numbered & { readonly rest: string }): Relative | null => {
  const match = /^(\S), (?:(\d+\.\d+) s old|age not known), catches ([0-9a-f]+|\?), "((?:[^"\\]|\\.)*)", (.*)$/.exec(
    value.text,
  );
  const pid = number(value.rest);
  if (match === null || pid === null) return null;
  const [, state = '?', age, caught = '?', comm = '', command = ''] = match;
  return {
    pid,
    comm: unquoted(comm),
    command,
    state,
    ageSeconds: number(age),
    caught: caught === '?' ? null : caught,
    at: value.at,
  };
};

const relatives = (facts: Facts, word: string): Relative[] =>
  facts.family(word).flatMap((value) => {
    const one = relative(value);
    return one === null ? [] : [one];
  });

/** Signals pending for the thread or the whole process, as one mask. */
const eitherMask = (one: string, other: string): string =>
  (BigInt(`0x${one}`) | BigInt(`0x${other}`)).toString(16).padStart(one.length, '0');

const signalsOf = (facts: Facts): IdentifyData['signals'] => {
  const hex = '([0-9a-f]{1,32})';
  const match = found(
    new RegExp(`^pending ${hex} and ${hex}, blocked ${hex}, ignored ${hex}, caught ${hex}$`),
    facts.first('signals'),
  );
  const none = '0'.repeat(16);
  const [, own = none, shared = none, blocked = none, ignored = none, caught = none] = match ?? [];
  return { pending: eitherMask(own, shared), blocked, ignored, caught };
};

const memoryOf = (facts: Facts): IdentifyData['memory'] => {
  const value = facts.first('memory');
  const kib = (name: string) => number(found(new RegExp(`\\b${name} (\\d+) kB`), value)?.[1]);
  return {
    rssKib: kib('resident') ?? 0,
    peakRssKib: kib('peak'),
    anonKib: kib('anonymous'),
    virtualKib: kib('virtual'),
    swapKib: kib('swapped'),
    at: value?.at ?? 1,
  };
};

const cgroupOf = (facts: Facts): IdentifyData['cgroup'] => {
  const value = facts.first('cgroup');
  const match = found(
    /^limit (?:(\d+) bytes(?: set above it)?|none|\?), used (?:(\d+) bytes|\?), oom kills (\d+|\?), (.*)$/,
    value,
  );
  if (match === null || value === null) return null;
  const [, limit, used, kills, path = ''] = match;
  return {
    path,
    memoryLimitBytes: number(limit),
    memoryUsedBytes: number(used),
    oomKills: number(kills),
    at: value.at,
  };
};

const pidInsideOf = (facts: Facts): Pick<IdentifyData, 'pidInside'> => {
  const inside = number(found(/, its process id inside is (\d{1,7})$/, facts.first('container'))?.[1]);
  return inside === null ? {} : { pidInside: inside };
};

const keptOf = (facts: Facts): Pick<IdentifyData, 'kept'> => {
  const value = facts.first('kept by');
  const kept = keptBy((found(/^\d{1,7}, (.*)$/, value)?.[1] ?? '').split(' '));
  return value === null || kept === null ? {} : { kept: { ...kept, at: value.at } };
};

const frozenOf = (facts: Facts): Pick<IdentifyData, 'frozen'> => {
  const value = facts.first('frozen');
  const [, thaw, file] = found(/^write (THAWED|0) to (\/.*)$/, value) ?? [];
  return value === null || thaw === undefined || file === undefined ? {} : { frozen: { file, thaw, at: value.at } };
};

/** `3.11.2` where a folder of the path says so (pyenv, uv, /opt), else `3.11` from the file's name, else null. */
const versionOf = (path: string, module: string | null): string | null => {
  // No path of Linux is longer; the cut keeps the patterns' time in bounds for any other output.
  const library = path.slice(-4096);
  const named =
    /(?:lib)?python([23]\.\d+)[a-z]*(?:\.so[\d.]*)?(?: \(deleted\))?$/.exec(library)?.[1] ??
    /\/python([23]\.\d+)\//.exec(module ?? '')?.[1] ??
    /\.cpython-(\d)(\d+)/
      .exec(module ?? '')
      ?.slice(1, 3)
      .join('.') ??
    null;
  const full = [...library.matchAll(/(?<![\d.])([23]\.\d+\.\d+)(?![\d.]*\d)/g)].map((match) => match[1] ?? '');
  return full.find((version) => named === null || version.startsWith(`${named}.`)) ?? named;
};

const runtimeOf = (facts: Facts, argv: readonly string[], partly: string[]): IdentifyData['runtime'] => {
  const match = found(/^python, build id ([0-9a-f]+|-), debug information (yes|no), (.*)$/, facts.first('runtime'));
  if (match !== null) {
    const [, id = '-', symbols = 'no', library = ''] = match;
    const version = versionOf(library, facts.first('python module')?.text ?? null);
    return { kind: 'python', version, library, buildId: id === '-' ? null : id, symbols: symbols === 'yes' };
  }
  // Somebody else's process shows its command line to everyone, its executable and maps only to its owner and root.
  const named = /(?:^|\/)(?:platform-)?python([23](?:\.\d+)?)?$/.exec(argv[0] ?? '');
  if (named !== null && facts.first('executable') === null) {
    partly.push('that it runs Python is told only by its command line');
    const version = named[1]?.includes('.') ? named[1] : null;
    return { kind: 'python', version, library: null, buildId: null, symbols: false };
  }
  return { kind: 'other', version: null, library: null, buildId: null, symbols: false };
};

const hostOf = (facts: Facts): IdentifyData['host'] => {
  const memory = found(/^total (\d+) kB, available (\d+) kB$/, facts.first('host memory'));
  return {
    kernel: facts.first('host kernel')?.text ?? '',
    cpus: number(facts.first('host cpus')?.text) ?? 0,
    load: (facts.first('host load')?.text ?? '').split(' ').flatMap((text) => number(text) ?? []),
    memoryTotalKib: number(memory?.[1]) ?? 0,
    memoryAvailableKib: number(memory?.[2]) ?? 0,
    tools: Object.fromEntries(facts.family('tool').map(({ rest, text }) => [rest, text])),
    python: facts.first('python')?.text ?? null,
    uid: number(facts.first('looking as user id')?.text) ?? -1,
    ptraceScope: number(facts.first('ptrace scope')?.text),
    bootedAt: number(facts.first('host booted at')?.text) ?? 0,
  };
};

const BECAUSE_OF_RIGHTS = /\/(exe|cwd|root|fd|ns|maps)$/;

/** What could not be read, one sentence each; all files that one permission guards in one sentence. */
const gapsOf = (facts: Facts, uid: number): string[] => {
  const gaps = facts.all('not readable').map(({ text }) => text);
  const guarded = gaps.flatMap((text) => BECAUSE_OF_RIGHTS.exec(text)?.[1] ?? []);
  const sentences = gaps.filter((text) => !BECAUSE_OF_RIGHTS.test(text)).map((text) => `not looked at: ${text}`);
  if (guarded.length > 0) {
    const why = uid === 0 ? 'the kernel did not show them' : `user ${uid} may not see them; look as root or its owner`;
    sentences.unshift(`not readable: its ${guarded.join(', ')} (${why})`);
  }
  return sentences;
};

const nameOf = (facts: Facts): string | undefined => {
  const name = found(/^\d+ "(.*)"$/, facts.first('process'))?.[1];
  return name === undefined ? undefined : unquoted(name);
};

/** Why this is no process to diagnose, or null when it is one. */
const whyNot = (facts: Facts, pid: number): Parsed<never> | null => {
  const gone = facts.first('gone');
  if (gone) return { ok: false, reason: 'target-gone', why: gone.text || `there is no process ${pid}` };
  const hidden = facts.first('hidden');
  if (hidden) return { ok: false, reason: 'no-permission', why: `${hidden.text}; look as root` };
  const thread = facts.first('thread');
  if (thread) {
    const leader = /of process (\d+)$/.exec(thread.text)?.[1];
    return { ok: false, reason: 'not-applicable', why: `${thread.text}; diagnose process ${leader} instead` };
  }
  if (facts.first('kernel thread')) {
    const why = `${pid} (${nameOf(facts) ?? '?'}) is a thread of the kernel, not a process`;
    return { ok: false, reason: 'not-applicable', why };
  }
  return null;
};

/** A zombie: every thread has ended, and only the exit status waits for the parent. */
const zombie = (pid: number, comm: string, parent: Relative | null): Parsed<never> => ({
  ok: false,
  reason: 'not-applicable',
  why:
    `process ${pid} (${comm}) has ended and is a zombie` +
    (parent === null
      ? ''
      : `: its parent ${parent.pid} (${parent.comm}) has not fetched its exit status; diagnose that`),
});

/** Reads what identify.sh prints. Never throws; what is missing is said in `partly`. */
export const parseIdentify = (text: string, pid: number): Parsed<IdentifyData> => {
  const facts = new Facts(text);
  const not = whyNot(facts, pid);
  if (not !== null) return not;
  const comm = nameOf(facts);
  const state = facts.first('state');
  const start = found(/^(\d+) clock ticks after boot, (\d+\.\d+) s ago$/, facts.first('start time'));
  if (comm === undefined || state === null || start === null)
    return { ok: false, reason: 'not-parsable', why: 'the description of the process is incomplete' };

  const argv = facts.family('argument').map(({ text: word }) => plain(word));
  const visible = facts.family('argument').map(({ text: word }) => word);
  const threads = number(facts.first('threads')?.text) ?? 1;
  const parent = relatives(facts, 'parent')[0] ?? null;
  const letter = state.text.charAt(0);
  if ((letter === 'Z' || letter === 'X') && threads <= 1) return zombie(pid, comm, parent);

  const host = hostOf(facts);
  const partly = gapsOf(facts, host.uid);
  if (letter === 'Z') partly.push('its first thread has ended, the others live on');
  if (!facts.lines.includes('end')) partly.push('the description of the process breaks off');
  const exe = facts.first('executable');
  const fds = facts.first('descriptors');
  const open = found(/^(\d+) open, limit (\S+)$/, fds);
  const tracer = facts.first('traced by');
  const tracerParts = found(/^(\d+), (.*)$/, tracer);
  const data: IdentifyData = {
    comm,
    argv,
    command: visible.join(' ').trim() === '' ? `[${comm}]` : visible.join(' '),
    exe: exe && {
      path: exe.text,
      deleted: facts.first('executable deleted')?.text === 'yes',
      buildId: facts.first('executable build id')?.text ?? null,
      at: exe.at,
    },
    startTime: start[1] ?? '',
    ageSeconds: number(start[2]) ?? 0,
    uid: number(facts.first('user id')?.text) ?? -1,
    cwd: facts.first('working directory')?.text ?? null,
    root: facts.first('root directory')?.text ?? null,
    state: { letter, at: state.at },
    tracer: tracer && tracerParts && { pid: Number(tracerParts[1]), command: tracerParts[2] ?? null, at: tracer.at },
    threads,
    memory: memoryOf(facts),
    signals: signalsOf(facts),
    fds: fds && open && { open: Number(open[1]), softLimit: number(open[2]), at: fds.at },
    cgroup: cgroupOf(facts),
    ...frozenOf(facts),
    container: facts.first('container')?.text.startsWith('yes') ?? false,
    ...pidInsideOf(facts),
    ...keptOf(facts),
    namespaces: Object.fromEntries(facts.family('namespace').map(({ rest, text: target }) => [rest, target])),
    parent,
    children: relatives(facts, 'child'),
    siblings: relatives(facts, 'sibling'),
    runtime: runtimeOf(facts, argv, partly),
    host,
  };
  return { ok: true, data, partly };
};
