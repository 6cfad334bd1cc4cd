import { defineCause, type FindingDraft, type Look, type Verdict } from '../model/index.ts';
import { fds } from '../probes/fds.ts';
import { identify } from '../probes/identify.ts';
import { type Mount, type MountsData, mounts, type StoredFile } from '../probes/mounts.ts';
import { sample } from '../probes/sample.ts';
import { strace } from '../probes/strace.ts';
import { failedCalls, type Refused } from '../reading/descriptors.ts';
import { nappingThreads } from '../reading/lock-waits.ts';
import { frameName, ownFrame, pythonThreads, threadName, threadOf } from '../reading/python.ts';
import { bytes, code, count, list } from '../reading/text.ts';
import { deviceFixes, fixesOf, mountWords, spaceWords } from './disk-full.texts.ts';

const NO_SPACE = new Set(['ENOSPC', 'EDQUOT']);
/** Calls that store something; the same errors mean other things elsewhere (inotify_add_watch, seccomp, bpf). */
const STORES =
  /^(write|writev|pwrite64|pwritev2?|ftruncate(64)?|truncate(64)?|fallocate|fsync|fdatasync|sync_file_range|close|openat2?|open|creat|mkdir(at)?|mknod(at)?|link(at)?|symlink(at)?|rename(at2?)?|sendfile(64)?|copy_file_range|splice|msync|setxattr|fsetxattr)$/;
/** The device to which nothing can be written (full(4)). */
const NEVER = '/dev/full';
/** What root alone may still use does not help others; and the last few blocks are the file system's own. */
const LITTLE = 64 * 1024;

/** What a file system has run out of for this process; null when it has not. */
const lacking = (mount: Mount, root: boolean): 'blocks' | 'inodes' | null => {
  const { space } = mount;
  if (space === null || space.bytes === 0) return null;
  if (space.inodes > 0 && space.inodesFree === 0) return 'inodes';
  return (root ? space.free : space.available) < Math.min(LITTLE, space.bytes * 0.01) ? 'blocks' : null;
};

/** Whether so little is left that one more file of some size would not fit. */
const isTight = ({ space }: Mount): boolean =>
  space !== null && space.bytes > 0 && space.available < Math.max(1024 * 1024, space.bytes * 0.01);

interface Full {
  readonly mount: Mount;
  readonly lacks: 'blocks' | 'inodes';
  readonly evidenceId: string;
}

const fullMounts = (look: Look): Full[] => {
  const seen = look.see(mounts);
  const who = look.see(identify);
  if (!seen.seen) return [];
  const root = who.seen && who.data.uid === 0;
  return seen.data.mounts.flatMap((mount) => {
    const lacks = lacking(mount, root);
    return lacks === null ? [] : [{ mount, lacks, evidenceId: seen.evidenceId }];
  });
};

/** The path that a traced call is about: of its descriptor, or its own; null when it shows none. */
const pathOf = (call: Refused): string | null =>
  /^\d+<(\/[^>]*)>/.exec(call.args)?.[1]?.replace(/\(deleted\)$/, '') ??
  /"((?:[^"\\]|\\.)*)"/.exec(
    /^(open|creat|mkdir|mknod|link|symlink|rename|truncate)/.test(call.name) ? call.args : '',
  )?.[1] ??
  null;

/** The mount that a path is on: the one with the longest point above it. */
const mountOf = (data: MountsData, path: string | null): Mount | null =>
  path === null
    ? null
    : ([...data.mounts]
        .filter(({ point }) => path === point || path.startsWith(point === '/' ? '/' : `${point}/`))
        .sort((a, b) => b.point.length - a.point.length)[0] ?? null);

/** The process's own files on a file system, those that take most first. */
const ownFiles = (data: MountsData | null, mount: Mount | null): StoredFile[] =>
  data === null || mount === null
    ? []
    : data.files
        .filter((file) => file.mount === mount.point && (file.stored ?? 0) > 0)
        .sort((a, b) => (b.stored ?? 0) - (a.stored ?? 0));

const tracedDraft = (look: Look, refused: readonly Refused[]): FindingDraft => {
  const [first] = refused as readonly [Refused, ...Refused[]];
  const seen = look.see(mounts);
  const path = refused.map(pathOf).find((each) => each !== null) ?? null;
  const device = path === NEVER;
  const mount = seen.seen && !device ? mountOf(seen.data, path) : null;
  const quota = refused.every((each) => each.errno === 'EDQUOT');
  const lacks = mount === null ? null : lacking(mount, false);
  const files = ownFiles(seen.seen ? seen.data : null, mount);
  const view = pythonThreads(look);
  const thread = threadOf(view, first.tid);
  const own = thread?.stacks[0] === undefined ? null : ownFrame(thread.stacks[0]);
  const total = refused.reduce((sum, each) => sum + each.count, 0);
  const who = thread === null ? `thread ${first.tid}` : threadName(thread);
  const onFull = mount !== null && lacks !== null;
  const roomy = mount !== null && mount.space !== null && !quota && !onFull && !isTight(mount);
  const point = device ? NEVER : (mount?.point ?? null);
  const lines = [
    ...refused.slice(0, 2).map((each) => ({ evidenceId: each.evidenceId, at: each.at })),
    ...(seen.seen && mount !== null ? [{ evidenceId: seen.evidenceId, at: mount.at }] : []),
    ...(seen.seen ? files.slice(0, 2).map((file) => ({ evidenceId: seen.evidenceId, at: file.at })) : []),
    ...(thread === null || own === null ? [] : [{ evidenceId: thread.evidenceId, at: own.at }]),
  ];
  return {
    confidence: onFull || quota ? 0.97 : 0.93,
    title: quota
      ? `Cannot write: the quota is used up${path === null ? '' : ` (${code(path)})`}`
      : `Cannot write: no ${lacks === 'inodes' ? 'inode' : 'space'} is left on ${point === null ? `the file system of ${code(path ?? '?')}` : code(point)}`,
    summary:
      `${who.charAt(0).toUpperCase()}${who.slice(1)}${own === null ? '' : ` in ${frameName(own)}`} was refused ${count(total, 'time')} in the trace: ${code(first.name)} failed with ${list([...new Set(refused.map((each) => each.errno))])}${path === null ? '' : ` on ${code(path)}`}. ` +
      `${mount === null ? '' : `That is on ${mountWords(mount)}: ${spaceWords(mount)}.`}` +
      `${device ? 'That is a device to which nothing can be written (full(4)); no file system is full.' : ''}` +
      `${roomy ? ' There is room now: it was short of room for a moment, asked for more than there is, or the quota of a folder is used up.' : ''}` +
      `${files.length === 0 ? '' : ` Of its own open files ${list(files.slice(0, 3).map((file) => `${code(file.path)}${file.deleted ? ', deleted' : ''} (${bytes(file.stored ?? 0)})`))} take most.`}`,
    evidence: [...new Map(lines.map((line) => [`${line.evidenceId} ${line.at}`, line])).values()].map((line) =>
      look.quote(line.evidenceId, line.at),
    ),
    fixes: device
      ? deviceFixes(look, NEVER)
      : fixesOf(look, mount, lacks === 'inodes', quota, files, own === null ? null : frameName(own)),
  };
};

/** Whether the process was traced writing to a file of this mount, and not refused. */
const wroteTo = (look: Look, mount: Mount): boolean => {
  const traced = look.see(strace);
  return (
    traced.seen &&
    traced.data.detail.calls.some(
      (call) =>
        /^(write|writev|pwrite64)$/.test(call.name) &&
        call.errno === null &&
        (/^\d+<(\/[^>]*)>/.exec(call.args)?.[1] ?? '').startsWith(`${mount.point === '/' ? '' : mount.point}/`),
    )
  );
};

const inferredDraft = (look: Look, full: Full): FindingDraft => {
  const seen = look.see(mounts);
  const files = ownFiles(seen.seen ? seen.data : null, full.mount);
  const written = seen.seen ? seen.data.files.filter((file) => file.writes && file.mount === full.mount.point) : [];
  const [first] = written;
  const traced = look.see(strace);
  // What it could write in spite of all says more than what it did not try.
  const went = traced.seen && wroteTo(look, full.mount);
  const lines = [
    { evidenceId: full.evidenceId, at: full.mount.at },
    ...written.slice(0, 3).map((file) => ({ evidenceId: full.evidenceId, at: file.at })),
    ...(look.see(sample).seen ? processLine(look) : []),
  ];
  const what = full.lacks === 'inodes' ? 'inodes' : 'blocks';
  return {
    confidence: went || written.length === 0 ? 0.4 : traced.seen ? 0.65 : 0.75,
    title: `The file system ${code(full.mount.point)}, which it ${written.length > 0 ? 'writes to' : 'uses'}, has no free ${what}`,
    summary:
      `${mountWords(full.mount)} has ${spaceWords(full.mount)}. ` +
      `${first === undefined ? 'The process has its working directory or files there, none of them open for writing now.' : `The process has ${count(written.length, 'file')} open for writing there, ${code(first.path)} among them.`} ` +
      `${went ? 'In the trace it wrote there and was refused nothing.' : `Not seen directly: that it is refused; ${traced.seen ? 'it wrote nothing there in the trace.' : 'a trace would show it at its next write.'}`}`,
    evidence: lines.map((line) => look.quote(line.evidenceId, line.at)),
    fixes: fixesOf(look, full.mount, full.lacks === 'inodes', false, files, null),
  };
};

const processLine = (look: Look) => {
  const seen = look.see(sample);
  return seen.seen ? [{ evidenceId: seen.evidenceId, at: seen.data.process.at }] : [];
};

/** Whether the process does anything from time to time: naps, or makes system calls that write. */
const isActive = (look: Look): boolean => {
  const seen = look.see(sample);
  if (!seen.seen) return false;
  const wakes = seen.data.threads.some((thread) => (thread.voluntarySwitches ?? 0) > 1);
  return wakes || (seen.data.process.io?.syscw ?? 0) > 0 || nappingThreads(look).length > 0;
};

const judge = (look: Look): Verdict => {
  const refused = failedCalls(look, NO_SPACE).filter((call) => STORES.test(call.name));
  if (refused.length > 0) return { verdict: 'fires', findings: [tracedDraft(look, refused)] };
  const seen = look.see(mounts);
  if (!seen.seen) return { verdict: 'cannot-tell', why: seen.why, wants: [mounts.id] };
  const full = fullMounts(look);
  const used = full.filter(({ mount }) => mount.writes > 0 || mount.cwd);
  if (used.length > 0)
    return { verdict: 'fires', findings: used.map((each) => inferredDraft(look, each)), wants: [strace.id] };
  const traced = look.see(strace);
  const open = look.see(fds);
  // full(4): whatever is written there is refused, so who has it open will be.
  if (!traced.seen && open.seen && open.data.groups.some((group) => group.name === NEVER)) {
    return {
      verdict: 'cannot-tell',
      why: 'it has `/dev/full` open, to which nothing can be written',
      wants: [strace.id],
    };
  }
  if (full.length > 0 && !traced.seen && isActive(look)) {
    return {
      verdict: 'cannot-tell',
      why: `${list(full.slice(0, 3).map(({ mount }) => code(mount.point)))} is full; the process has nothing open there, and whether it tries to write there is seen only in a trace (${traced.why})`,
      wants: [strace.id],
    };
  }
  // A write that fails is often undone, and its room is free again until the next attempt.
  const tight = seen.data.mounts.filter((mount) => (mount.writes > 0 || mount.cwd) && isTight(mount));
  if (tight.length > 0 && !traced.seen && isActive(look)) {
    return {
      verdict: 'cannot-tell',
      why: `${list(tight.slice(0, 3).map((mount) => code(mount.point)))} has hardly any room left; whether a write is refused for it is seen only in a trace (${traced.why})`,
      wants: [strace.id],
    };
  }
  const silent = seen.data.mounts.filter((mount) => mount.answer === 'silent' && mount.writes > 0);
  if (silent.length > 0)
    return {
      verdict: 'cannot-tell',
      why: `${list(silent.map((mount) => code(mount.point)))} did not say how much is free`,
    };
  const roomy = seen.data.mounts.filter((mount) => mount.space !== null);
  return {
    verdict: 'clear',
    why:
      roomy.length === 0
        ? 'it writes to no file system that can be full'
        : `there is room on ${list(roomy.slice(0, 3).map((mount) => code(mount.point)))}`,
  };
};

/** What the process writes is refused because nothing is left to write to. */
export const diskFull = defineCause({
  id: 'disk-full',
  title: 'A file system that it writes to is full',
  needs: [mounts],
  // A write that is tried again and again; what cannot be written is kept.
  explains: ['busy-loop', 'python-heap-growth'],
  judge,
});
