import type { Fix, Look } from '../model/index.ts';
import type { HeapHolder, HeapType } from '../probes/py-heap.ts';
import { type Grower, untilFull } from '../reading/heap.ts';
import { bytes, clip, code, count, duration, visible } from '../reading/text.ts';

const perMinute = (perSecond: number): string => Math.round(perSecond * 60).toLocaleString('en-US');

/** `312 KiB a minute`. */
export const rateText = (bytesPerSecond: number): string => `${bytes(Math.round(bytesPerSecond * 60))} a minute`;

/** `the dict `app.CACHE``, `the cache of functools.lru_cache on `app.lookup``. */
export const holderText = (grower: Grower): string => {
  const { container } = grower;
  const type = container.type.split('.').at(-1) ?? container.type;
  const { holder } = container;
  if (holder === null) return `a ${visible(clip(type, 60))} without a name`;
  if (holder.kind === 'cache') return `the cache that functools.lru_cache keeps for ${code(holder.path)}`;
  const what =
    container.containers > 1
      ? `the ${container.containers} containers (${visible(clip(type, 60))}) in ${code(holder.path.replace(/\[\]$/, ''))}`
      : `the ${visible(clip(type, 60))} ${code(holder.path)}`;
  return holder.function === null ? what : `${what}, a local variable of ${code(holder.function)}`;
};

/** `` `handle` (/srv/app/cache.py:42) ``: where it is added to, as far as that is known. */
export const adderText = (grower: Grower): string | null => {
  const adds = grower.uses.filter((use) => use.kind === 'adds');
  const [first] = adds;
  if (first !== undefined) {
    const more = adds.length > 1 ? ` and ${count(adds.length - 1, 'other line')}` : '';
    return `${code(first.function)} (${code(`${first.file}:${first.line}`)})${more}`;
  }
  const { holder } = grower.container;
  if (holder?.kind === 'cache' && holder.file !== null) {
    return `${code(holder.function ?? holder.path)} (${code(`${holder.file}:${holder.line ?? 0}`)})`;
  }
  return null;
};

/** When memory runs out at this rate, as a sentence; empty when no limit is known. */
export const endText = (look: Look, bytesPerSecond: number): string => {
  const end = untilFull(look, bytesPerSecond);
  return end === null ? '' : ` At this rate it meets ${end.limit} in ${duration(end.seconds)}.`;
};

const variable = (holder: HeapHolder): string => holder.path.split('.').at(-1)?.replaceAll('[]', '') ?? holder.path;

const boundFix = (grower: Grower): Fix => {
  const { container } = grower;
  const { holder } = container;
  const where = adderText(grower);
  const at = where === null ? '' : ` It is added to in ${where}.`;
  if (holder?.kind === 'cache') {
    return {
      title: `Give the cache of ${code(holder.path)} a bound`,
      detail: `With ${code('maxsize=None')} it keeps the result of every call with new arguments for ever.${at} Choose a size from how many different arguments come back within minutes.`,
      code: `@functools.lru_cache(maxsize=10_000)   # was maxsize=None, or functools.cache\ndef ${visible(clip(holder.function ?? 'function', 60))}(…):`,
    };
  }
  const name = holder === null ? 'container' : visible(clip(variable(holder), 60));
  if (/deque$/.test(container.type) || grower.uses.some((use) => use.kind === 'takes')) {
    return {
      title: `Bound ${holder === null ? 'it' : code(holder.path)}, so that who puts in waits for who takes out`,
      detail: `More is put in than is taken out.${at} A bounded queue slows the producer down instead of filling memory; or drop the oldest, or add consumers.`,
      code: `${name} = queue.Queue(maxsize=1000)         # put() waits when it is full\n${name} = collections.deque(maxlen=1000)     # or the oldest go`,
    };
  }
  if (/(^|\.)(dict|defaultdict|OrderedDict|Counter)$/.test(container.type)) {
    return {
      title: `Bound ${holder === null ? 'the dict' : code(holder.path)}: a size, a time to live, or weak references`,
      detail: `Nothing that was seen removes what is put in.${at} Remove entries when what they stand for ends, or let the oldest go.`,
      code: `while len(${name}) >= 10_000:                       # before adding\n    ${name}.pop(next(iter(${name})))               # dicts keep their order: the oldest goes\n# or: cachetools.TTLCache(maxsize=10_000, ttl=600), or weakref.WeakValueDictionary()`,
    };
  }
  return {
    title: `Let go of what ${holder === null ? 'it' : code(holder.path)} collects`,
    detail: `Nothing that was seen removes what is added.${at} Keep the newest only, remove items when their work is done, or keep weak references if the items live elsewhere.`,
    code: /set$/.test(container.type)
      ? `${name}.discard(item)                 # when its work is done\n${name} = weakref.WeakSet()          # or keep only what lives elsewhere too`
      : `${name} = collections.deque(maxlen=1000)   # keeps the newest thousand`,
  };
};

/** What to do about a container that grows. */
export const growerFixes = (look: Look, grower: Grower): Fix[] => [
  boundFix(grower),
  {
    title: 'Verify: the container must stand still, and memory with it',
    detail: `After the change look again with the playbook ${code('memory')}: ${holderText(grower)} must not grow any more under the same load. Until then restart process ${look.target.pid} before its memory runs out.${endText(look, grower.bytesPerSecond)}`,
    code: `grep -E 'VmRSS|VmSwap' /proc/${look.target.pid}/status`,
  },
];

/** What to do when only the type that grows is known. */
export const typeFixes = (look: Look, type: HeapType): Fix[] => [
  {
    title: `Find what keeps the ${code(type.name)} objects`,
    detail:
      'No list, dict, set or deque that grows was found, so they hold each other (a chain, a tree), or are held by something that was not looked at. In a test run, take two snapshots and compare them; objgraph draws who refers to one.',
    code: `import tracemalloc; tracemalloc.start(10)\n# later:\nfor line in tracemalloc.take_snapshot().compare_to(earlier, 'traceback')[:10]:\n    print(line)\n# who holds one: objgraph.show_backrefs(objgraph.by_type('${visible(clip(type.name.split('.').at(-1) ?? type.name, 60))}')[-1:], max_depth=6)`,
  },
  {
    title: 'Look again, longer',
    detail: `With the playbook ${code('memory')} and a longer window more of the heap is looked at.`,
    code: `straceback diagnose ${look.target.host} ${look.target.pid} --playbook memory --window 20`,
  },
];

/** `1,240 items a minute`. */
export const itemsText = (grower: Grower): string => `${perMinute(grower.itemsPerSecond)} items a minute`;
