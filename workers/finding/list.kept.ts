import { type Kept, keptBy } from '../../playbooks/reading/container-keeper.ts';
import { placeOf } from './list.names.ts';

/** What must be known of a process to tell whose it is. */
interface Listed {
  readonly pid: number;
  readonly parent: number;
  readonly startTime: string;
  readonly words: readonly string[];
  readonly cgroup: string;
  readonly inside: number | null;
}

/** A first process as runc or crun remembers it: its container's id under `PID STARTTIME`. */
export type Firsts = ReadonlyMap<string, string>;

/** As deep as trees of processes are followed. */
const DEEPEST = 200;

/** Own control groups that belong to one container alone, by what is known of its processes. */
const groupsOf = (kept: ReadonlyMap<number, Kept>, all: ReadonlyMap<number, Listed>): ReadonlyMap<string, Kept> => {
  const groups = new Map<string, Kept | null>();
  for (const [pid, each] of kept) {
    const { own } = placeOf(all.get(pid)?.cgroup ?? '');
    if (own === '' || own === '/') continue;
    const known = groups.get(own);
    groups.set(own, known === undefined || known?.container === each.container ? each : null);
  }
  return new Map([...groups].flatMap(([group, each]) => (each === null ? [] : [[group, each] as const])));
};

/**
 * Which container each process is in as those tell who keep it: the process that started it, or the runtime's record of its
 * first one. What entered later (`runc exec -d`) has neither above it, but the same control group and a pid namespace too.
 */
export const keptOf = (all: ReadonlyMap<number, Listed>, firsts: Firsts): ReadonlyMap<number, Kept> => {
  const keepers = new Map(
    [...all.values()].flatMap(({ pid, words }) => {
      const keeps = keptBy(words);
      return keeps === null ? [] : [[pid, keeps] as const];
    }),
  );
  if (keepers.size === 0 && firsts.size === 0) return new Map();
  const kept = new Map<number, Kept>();
  for (const { pid } of all.values()) {
    if (keepers.has(pid)) continue;
    let at = all.get(pid);
    for (let depth = 0; at !== undefined && depth < DEEPEST; depth += 1) {
      const first = firsts.get(`${at.pid} ${at.startTime}`);
      const found = keepers.get(at.parent) ?? (first === undefined ? undefined : { container: first, name: null });
      if (found !== undefined) {
        kept.set(pid, found);
        break;
      }
      at = all.get(at.parent);
    }
  }
  const groups = groupsOf(kept, all);
  for (const { pid, cgroup, inside } of all.values()) {
    const found = inside === null || kept.has(pid) ? undefined : groups.get(placeOf(cgroup).own);
    if (found !== undefined) kept.set(pid, found);
  }
  return kept;
};
