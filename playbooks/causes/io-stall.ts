import { defineCause, type FindingDraft, type Fix, type Look, type Verdict } from '../model/index.ts';
import { type Mount, mounts } from '../probes/mounts.ts';
import { type SampledThread, sample } from '../probes/sample.ts';
import { frameName, ownFrame, pythonThreads, threadName, threadOf } from '../reading/python.ts';
import { sampledCalls, stateShare } from '../reading/syscalls.ts';
import { code, count, duration, list, percent, shellCommand } from '../reading/text.ts';

/** Kernel functions of waits in state D that have nothing to do with a disk: for a child's exec, the freezer, a tracer, memory. */
const OTHER =
  /vfork|refrigerator|ptrace|coredump|do_exit|mem_cgroup|zap_pid_ns|cgroup_freez|seccomp|userfaultfd|binder|rtnl/;
/** Calls that are never about a file system. */
const OTHER_CALLS = /^(vfork|clone3?|fork|wait4|waitid|ptrace|execve|exit|exit_group|futex)$/;
/** Calls that wait for the lock of the process's own memory map, which other threads and whoever reads /proc/PID/smaps take too. */
const MEMORY_CALLS = /^(mmap2?|munmap|mremap|mprotect|madvise|brk)$/;
/** Share of the looks in which a thread must have been there: of a crowd, those that sleep are looked at in every fourth. */
const LASTING = 0.2;
/** Network and user-space file systems, which may wait in state S too, and what their waits are called in the kernel. */
const REMOTE =
  /^(rpc_|nfs\d?_|__rpc|cifs_|smb2?_|wait_for_response|fuse_|request_wait_answer|__fuse|ceph_|p9_|v9fs|afs_|ocfs2|gfs2)/;
const FROZEN =
  /^(percpu_rwsem_wait|__percpu_down_read|percpu_down_read|sb_start_write|__sb_start_write|mnt_want_write|freeze_super)/;
const REMOTE_KIND = /^(nfs4?|cifs|smb3|ceph|9p|afs|fuse|glusterfs|lustre|ocfs2|gfs2)/;

/** A thread that waits for a file system or a device. */
interface Stuck {
  readonly thread: SampledThread;
  /** Share of the samples in which it waited so, 0 to 1. */
  readonly share: number;
  /** What it was in: a system call, or null for a page fault. */
  readonly call: { readonly name: string; readonly path: string | null; readonly at: number } | null;
  /** Kernel functions, innermost first. */
  readonly kernel: readonly string[];
  readonly frozen: boolean;
  readonly remote: boolean;
}

const kernelOf = (thread: SampledThread): string[] => [
  ...thread.wchans.map((each) => each.name),
  ...thread.kernelStack.map((name) => name.trim()),
];

const stuckOf = (thread: SampledThread, looks: number): Stuck | null => {
  if (thread.samples < Math.max(4, LASTING * looks)) return null;
  const kernel = kernelOf(thread);
  const asleep = stateShare(thread, 'D');
  const remote = kernel.some((name) => REMOTE.test(name));
  const share = remote ? stateShare(thread, 'DS') : asleep;
  if (share < 0.5 || kernel.some((name) => OTHER.test(name))) return null;
  const [call] = sampledCalls(thread);
  if (call !== undefined && (OTHER_CALLS.test(call.name) || (MEMORY_CALLS.test(call.name) && !remote))) return null;
  if (remote && asleep < 0.5 && (call?.share ?? 0) < 0.9) return null;
  const path = call?.fd?.startsWith('/') ? call.fd.replace(/ \(deleted\)$/, '') : null;
  return {
    thread,
    share,
    call: call === undefined ? null : { name: call.name, path, at: call.at },
    kernel,
    frozen: kernel.some((name) => FROZEN.test(name)),
    remote,
  };
};

/** The mount that it waits for: of its file, else the only one that does not answer, or that is of the kind it waits in. */
const mountOf = (look: Look, stuck: Stuck): { mount: Mount; by: 'file' | 'silent' | 'kind' } | null => {
  const seen = look.see(mounts);
  if (!seen.seen) return null;
  const path = stuck.call?.path ?? null;
  const silent = seen.data.mounts.filter((mount) => mount.answer === 'silent');
  if (path !== null) {
    const on = [...seen.data.mounts]
      .filter(({ point }) => path === point || path.startsWith(point === '/' ? '/' : `${point}/`))
      .sort((a, b) => b.point.length - a.point.length)[0];
    if (on !== undefined) return { mount: on, by: 'file' };
  }
  if (silent[0] !== undefined) return { mount: silent[0], by: 'silent' };
  // The root of the host goes on, or this look would not.
  const used = seen.data.mounts.filter(({ point, writes, reads, cwd }) => point !== '/' && (writes + reads > 0 || cwd));
  if (stuck.frozen && used.length === 1 && used[0] !== undefined) return { mount: used[0], by: 'kind' };
  const kin = seen.data.mounts.filter((mount) => stuck.remote && REMOTE_KIND.test(mount.kind));
  return kin.length === 1 && kin[0] !== undefined ? { mount: kin[0], by: 'kind' } : null;
};

/** Whether nothing came of the wait: a thread that is served, however slowly, wakes each time. */
const surenessOf = (stuck: Stuck, seconds: number, mount: ReturnType<typeof mountOf>): number => {
  const wakes = stuck.thread.voluntarySwitches;
  const pace = wakes === null || seconds <= 0 ? null : wakes / seconds;
  const known = stuck.frozen || stuck.remote || stuck.call?.path != null || mount !== null;
  if (stuck.share < 0.9) return 0.3;
  if (pace === null) return 0.7;
  if (wakes === 0 || wakes === 1) return stuck.frozen || mount?.by === 'silent' ? 0.95 : known ? 0.92 : 0.8;
  if (pace <= 1) return known ? 0.75 : 0.6;
  // It is served again and again: a busy or slow disk, and no standstill.
  return pace <= 3 ? 0.45 : 0.35;
};

const fixesOf = (look: Look, stuck: Stuck, mount: Mount | null): Fix[] => {
  const { pid } = look.target;
  const point = mount?.point ?? 'MOUNT_POINT';
  const remote = stuck.remote || (mount !== null && REMOTE_KIND.test(mount.kind));
  return [
    stuck.frozen
      ? {
          title: `Thaw the file system${mount === null ? '' : ` ${code(mount.point)}`}`,
          detail:
            'Somebody has frozen it, as backups and snapshots do (fsfreeze, LVM, a hypervisor’s agent), and has not let it go on. Whoever writes there waits until it is thawed. Look for the snapshot job that hangs or died.',
          code: shellCommand(['fsfreeze', '-u', point]),
        }
      : remote
        ? {
            title: `See whether the server of ${mount === null ? 'the file system' : code(mount.source)} answers`,
            detail:
              'The client waits for it for ever (a hard mount), and the process cannot even be killed before it comes back or the mount is given up. For a file system in user space, look at its daemon.',
            code: `nfsstat -m 2>/dev/null; ${shellCommand(['timeout', '3', 'stat', '-f', point])} || echo no answer\n${shellCommand(['umount', '-f', '-l', point])}   # gives the mount up: waiting calls fail`,
          }
        : {
            title: `Look at the device${mount === null ? '' : ` of ${code(mount.point)}: ${code(mount.source)} (${mount.device})`}`,
            detail:
              'Errors, a lost path, a suspended device-mapper device or a full thin pool stop everybody who uses it; the kernel log tells, and so do the requests that are in flight.',
            code: `dmesg -T | tail -50\niostat -x 1 3${mount === null ? '' : `\n${shellCommand(['cat', `/sys/dev/block/${mount.device}/inflight`])}\ndmsetup info 2>/dev/null | grep -B2 -A2 SUSPENDED`}`,
          },
    {
      title: 'Do not try to kill the process',
      detail:
        'A signal is delivered when the wait ends, not before (a killable wait on a network file system ends at SIGKILL). Restarting it only puts another process into the same queue.',
    },
    {
      title: 'Verify',
      detail: 'No thread may stay in state D.',
      code: `ps -L -o tid,stat,wchan:32,comm -p ${pid}`,
    },
  ];
};

const draftOf = (look: Look, group: readonly Stuck[], confidence: number): FindingDraft => {
  const [stuck] = group as readonly [Stuck, ...Stuck[]];
  const sampled = look.see(sample);
  const seen = look.see(mounts);
  const found = mountOf(look, stuck);
  const mount = found?.mount ?? null;
  const view = pythonThreads(look);
  const python = threadOf(view, stuck.thread.tid);
  const own = python?.stacks[0] === undefined ? null : ownFrame(python.stacks[0]);
  const seconds = sampled.seen ? sampled.data.seconds : 0;
  const name =
    python === null
      ? stuck.thread.tid === look.target.pid
        ? 'the main thread'
        : `thread ${stuck.thread.tid}`
      : threadName(python);
  const waiting = seen.seen ? seen.data.waiting : [];
  const what = stuck.call?.path ?? null;
  const where = mount === null ? (what === null ? '' : ` for ${code(what)}`) : ` for ${code(mount.point)}`;
  const why = stuck.frozen
    ? 'The kernel’s wait is the one for a frozen file system.'
    : mount?.answer === 'silent'
      ? `The file system ${code(mount.point)} does not answer to this look either.`
      : '';
  const inferred =
    confidence >= 0.9
      ? ''
      : confidence >= 0.5
        ? ' Inferred: that nothing comes of the wait; it woke now and then.'
        : ' It is served again and again, so the disk is slow or busy rather than stuck.';
  const lines = [
    ...(sampled.seen ? [{ evidenceId: sampled.evidenceId, at: stuck.thread.at }] : []),
    ...(sampled.seen && stuck.call !== null ? [{ evidenceId: sampled.evidenceId, at: stuck.call.at }] : []),
    ...(seen.seen && mount !== null ? [{ evidenceId: seen.evidenceId, at: mount.at }] : []),
    ...(python === null || own === null ? [] : [{ evidenceId: python.evidenceId, at: own.at }]),
    ...(seen.seen ? waiting.slice(0, 2).map((each) => ({ evidenceId: seen.evidenceId, at: each.at })) : []),
  ];
  return {
    confidence,
    title: `${confidence >= 0.5 ? 'Stuck in an uninterruptible wait' : 'Often waits'}${stuck.frozen ? ' on a frozen file system' : where === '' ? ' for a disk or file system' : ''}${where}`,
    summary:
      `${name.charAt(0).toUpperCase()}${name.slice(1)}${own === null ? '' : ` in ${frameName(own)}`} was in ${stuck.remote ? 'a wait for a file system' : 'state D'} in ${percent(stuck.share)} of the samples of ${duration(seconds)}, ` +
      `${stuck.call === null ? 'outside of any system call (a page of a mapped file, or of swap)' : `in ${code(stuck.call.name)}`}${what === null ? '' : ` on ${code(what)}`}; in the kernel it waits in ${code(stuck.kernel[0] ?? 'a place that is not shown', 60)}. ${why}` +
      `${group.length === 1 ? '' : ` ${count(group.length - 1, 'more thread')} of it ${group.length === 2 ? 'waits' : 'wait'} in the same way.`}` +
      `${waiting.length === 0 ? '' : ` On this host ${list(waiting.slice(0, 3).map((each) => `process ${each.pid} (${code(each.comm, 30)}, in ${code(each.wchan, 40)})`))}${waiting.length > 3 ? ` and ${waiting.length - 3} more` : ''} also ${waiting.length === 1 ? 'waits' : 'wait'} in state D.`}` +
      `${found?.by === 'kind' || (found?.by === 'silent' && what === null) ? ' Inferred: that it is this mount that it waits for.' : ''}${inferred}`,
    evidence: [...new Map(lines.map((line) => [`${line.evidenceId} ${line.at}`, line])).values()].map((line) =>
      look.quote(line.evidenceId, line.at),
    ),
    fixes: fixesOf(look, stuck, mount),
    ...(waiting.length === 0
      ? {}
      : { related: waiting.slice(0, 3).map((each) => ({ pid: each.pid, why: 'it waits in state D too' })) }),
  };
};

const judge = (look: Look): Verdict => {
  const seen = look.see(sample);
  if (!seen.seen) return { verdict: 'cannot-tell', why: seen.why, wants: [sample.id] };
  if (seen.data.seconds < 0.4 || seen.data.samples < 4)
    return { verdict: 'cannot-tell', why: 'the window was too short to call a wait long' };
  const stuck = seen.data.threads.flatMap((thread) => stuckOf(thread, seen.data.samples) ?? []);
  const groups = new Map<string, Stuck[]>();
  for (const each of stuck) {
    const key = `${mountOf(look, each)?.mount.point ?? ''} ${each.call?.name ?? ''} ${each.frozen}`;
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  const findings = [...groups.values()]
    .map((group) => {
      const sorted = group
        .map((each) => ({ each, sure: surenessOf(each, seen.data.seconds, mountOf(look, each)) }))
        .sort((a, b) => b.sure - a.sure);
      return draftOf(
        look,
        sorted.map(({ each }) => each),
        sorted[0]?.sure ?? 0,
      );
    })
    .filter((draft) => draft.confidence >= 0.35)
    .sort((a, b) => b.confidence - a.confidence);
  if (findings.length > 0) return { verdict: 'fires', findings: findings.slice(0, 3) };
  return {
    verdict: 'clear',
    why:
      stuck.length > 0
        ? 'threads waited for a disk now and then, and went on each time'
        : 'no thread was in an uninterruptible wait (state D) for long',
  };
};

/** A thread that waits for a device or a file system which does not answer. */
export const ioStall = defineCause({
  id: 'io-stall',
  title: 'A thread is stuck in an uninterruptible wait for a disk or file system',
  needs: [sample],
  explains: ['waiting-forever'],
  judge,
});
