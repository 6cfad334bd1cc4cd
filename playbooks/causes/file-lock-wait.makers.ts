import type { Fix, Look } from '../model/index.ts';
import { hostLocks } from '../probes/host-locks.ts';
import { type LockFile, locks } from '../probes/locks.ts';
import { lastName } from '../reading/lock-frames.ts';
import type { EvidenceLine, FileWait } from '../reading/lock-waits.ts';
import { pathKey } from '../reading/locks.ts';
import { isLibraryFile, type PythonThreadView, pythonThreads } from '../reading/python.ts';
import { code, shellCommand } from '../reading/text.ts';

/** Whose a lock file is, as far as its text or its openers say. */
export interface Maker extends EvidenceLine {
  readonly file: LockFile & { readonly pid: number };
  readonly lives: boolean;
  /** It is written in the file and it has the file open, too. */
  readonly both: boolean;
}

const lockFiles = (look: Look): (LockFile & EvidenceLine)[] =>
  [hostLocks, locks].flatMap((probe) => {
    const seen = look.see(probe);
    return seen.seen ? (seen.data.lockFiles ?? []).map((file) => ({ ...file, evidenceId: seen.evidenceId })) : [];
  });

/** A path without the `.` and the doubled slashes that a program may write into it. */
const tidy = (path: string): string => pathKey(path).replace(/\/(?:\.?\/)+/g, '/');

/** Whose the lock file is that a thread waits for; null for other locks and when nothing says. A zombie's is left behind. */
export const makerOf = (look: Look, wait: FileWait): Maker | null => {
  if (wait.kind !== 'file' || wait.path === null) return null;
  const path = tidy(wait.path);
  const named = lockFiles(look).filter((file) => file.pid !== null && tidy(file.path) === path);
  const lives = (file: LockFile) => file.state !== null && !/[ZX]/.test(file.state);
  const best = named.find(lives) ?? named[0];
  if (best === undefined || best.pid === null || best.pid === look.target.pid) return null;
  const { pid } = best;
  const both = new Set(named.filter((file) => file.pid === pid).map((file) => file.how)).size === 2;
  return { file: { ...best, pid }, lives: lives(best), both, evidenceId: best.evidenceId, at: best.at };
};

/** What is known of the maker, for a sentence. */
export const makerWords = (maker: Maker): string => {
  const { file } = maker;
  const how = file.how === 'open' ? `has it open` : `is named in it`;
  if (!maker.lives)
    return `Process ${file.pid} ${how}, and there is no such process any more: the lock was left behind.`;
  const command = file.command === null ? '' : ` (${code(file.command, 120)})`;
  return `Process ${file.pid}${command} ${maker.both ? 'is named in it and has it open' : how}, and lives.`;
};

/** What to do about it. */
export const makerFix = (wait: FileWait, maker: Maker): Fix => {
  const path = wait.path ?? '';
  const { pid } = maker.file;
  if (maker.lives) {
    return {
      title: `Diagnose the holder: process ${pid}`,
      detail: `This process goes on by itself as soon as ${code(path)} is removed by its maker. As long as that lives, do not delete it by hand.`,
      code: `${shellCommand(['ps', '-o', 'pid,lstart,stat,args', '-p', String(pid)])}`,
    };
  }
  return {
    title: `Remove ${code(path)}, which process ${pid} left behind`,
    detail:
      'Its maker ended without removing it (a crash, SIGKILL, a reboot), so nobody ever will. Make sure once more that no such process lives, then remove it. ' +
      `A lock by ${code('flock')} cannot be left behind: the kernel frees it.`,
    code: `${shellCommand(['ps', '-p', String(pid)])} || ${shellCommand(['rm', '-r', path])}`,
  };
};

/** How functions are called that take locks or try something until it works. */
const LOCKISH =
  /lock|mutex|semaphore|acquire|exclusive|guard|lease|claim|only_?one|singl|turn|wait|retry|retries|attempt|busy|until|begin|commit|execute|__enter__/i;
const LOCK_TEXT = /flock|lockf|O_EXCL|mkdir|symlink|link\(|\.lock|Lock\(|exists?\(|['"]x[b+]*['"]/;

/**
 * Whether a thread that naps again and again may be polling for a lock: something near it looks like one, or the code that it
 * is in does. A program that merely sleeps between its turns is not worth a trace.
 */
export const mayPoll = (look: Look, thread: PythonThreadView | null): boolean => {
  const seen = look.see(locks);
  const { pid } = look.target;
  if (seen.seen) {
    if (seen.data.locks.some((lock) => lock.pid !== pid && lock.targetFds.length > 0)) return true;
    if (seen.data.sharedFiles.some((file) => /lock|\.lck|\.pid$/i.test(file.path))) return true;
    if ((seen.data.lockFiles ?? []).some((file) => file.near && file.pid !== pid)) return true;
  }
  if (thread === null) return true;
  const view = pythonThreads(look);
  const own = thread.stacks.flatMap((stack) => stack.frames.filter((frame) => !isLibraryFile(frame.file)).slice(0, 4));
  if (own.some((frame) => LOCKISH.test(lastName(frame)) || /lock|mutex/i.test(frame.file.split('/').at(-1) ?? '')))
    return true;
  if (
    thread.stacks.some((stack) =>
      stack.frames.some((frame) => /filelock|portalocker|fasteners|lockfile/.test(frame.file)),
    )
  )
    return true;
  return own.some((frame) =>
    (view?.source ?? []).some(
      (line) => line.file === frame.file && line.line >= frame.firstLine && LOCK_TEXT.test(line.text),
    ),
  );
};
