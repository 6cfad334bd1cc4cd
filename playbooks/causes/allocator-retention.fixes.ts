import type { Fix, Look } from '../model/index.ts';
import { identify } from '../probes/identify.ts';
import type { MallocData } from '../probes/malloc.ts';
import { unitOf } from '../reading/memory.ts';
import { bytes, clip, code, count, shellCommand, shellQuote, visible } from '../reading/text.ts';

type Books = MallocData['looks'][number];

const CAUTION =
  'A caution: LD_PRELOAD is inherited by every program that this one starts, and a process that forks while other threads ' +
  'run must be tried with it first: its children begin with a copy of the allocator. Of a pre-fork server restart the master, not a worker.';

/** How variables get into the environment of this process: a drop-in of its unit, else its own command line. */
const setCommand = (look: Look, variables: readonly string[]): string => {
  const unit = unitOf(look);
  if (unit !== null) {
    const folder = `/etc/systemd/system/${unit}.d`;
    return [
      `mkdir -p ${shellQuote(folder)}`,
      `printf '%s\\n' '[Service]' ${variables.map((each) => shellQuote(`Environment="${each}"`)).join(' ')} > ${shellQuote(`${folder}/malloc.conf`)}`,
      `systemctl daemon-reload && systemctl restart ${shellQuote(unit)}`,
    ].join('\n');
  }
  const who = look.see(identify);
  const argv = who.seen && who.data.argv.length > 0 ? who.data.argv : ['COMMAND'];
  const folder = who.seen && who.data.cwd !== null ? `cd ${shellQuote(visible(who.data.cwd))} && ` : '';
  return `${folder}env ${shellCommand(variables)} ${clip(visible(shellCommand(argv)), 300)}`;
};

/** A command that shows in the new process's mappings that it took effect. */
const verifyCommand = (look: Look, library: string): string => {
  const unit = unitOf(look);
  const pid = unit === null ? 'NEW_PID' : `$(systemctl show -p MainPID --value ${shellQuote(unit)})`;
  return `grep -m1 ${shellQuote(library)} /proc/${pid}/maps && grep VmRSS /proc/${pid}/status`;
};

/** What else makes an allocator give back at once what is freed (gperftools' docs, jemalloc(3)). */
const EAGER: Readonly<Record<string, string>> = {
  tcmalloc_minimal: 'TCMALLOC_AGGRESSIVE_DECOMMIT=1',
  tcmalloc: 'TCMALLOC_AGGRESSIVE_DECOMMIT=1',
  jemalloc: 'MALLOC_CONF=background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0',
};
const ORDER = ['tcmalloc_minimal', 'tcmalloc', 'jemalloc', 'mimalloc'];

/** The allocators that the host offers, the one to try first in front. */
export const byPreference = (data: MallocData): MallocData['offered'] =>
  [...data.offered].sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));

const variablesFor = (data: MallocData, offer: { readonly kind: string; readonly path: string }): string[] => {
  const before = data.settings.find((each) => each.text.startsWith('LD_PRELOAD='))?.text.slice('LD_PRELOAD='.length);
  const eager = EAGER[offer.kind];
  return [
    `LD_PRELOAD=${before === undefined || before === '' ? offer.path : `${offer.path}:${before}`}`,
    ...(eager === undefined ? [] : [eager]),
  ];
};

const preloadFix = (look: Look, data: MallocData): Fix => {
  const [best, second] = byPreference(data);
  const who = look.see(identify);
  const inside = who.seen && who.data.container ? " (a path inside of the process's own root)" : '';
  if (best === undefined) {
    const offer = { kind: 'tcmalloc_minimal', path: '/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4' };
    return {
      title: 'Start it with another allocator: tcmalloc or jemalloc',
      detail: `Neither was found in the usual folders of its root. Install one there, and name the library in LD_PRELOAD when the service starts; verify it in /proc/PID/maps. ${CAUTION}`,
      code: `apt-get install libtcmalloc-minimal4   # Debian, Ubuntu; dnf install gperftools-libs elsewhere\n${setCommand(look, variablesFor(data, offer))}\n${verifyCommand(look, 'libtcmalloc')}`,
    };
  }
  const others =
    second === undefined
      ? ''
      : ` Or the same way with ${code(variablesFor(data, second).join(' '), 300)}: measure both.`;
  const eager = EAGER[best.kind];
  return {
    title: `Start it with ${best.kind.replace('_minimal', '')} instead of glibc's malloc`,
    detail:
      `${code(best.path)} is on this host${inside}. ${eager === undefined ? '' : `${code(eager)} makes it give back what is freed at once, for a little CPU; without that it keeps much of it too, for later use. `}` +
      `Afterwards the library stands in the new process's maps, and another look after the same load shows what it keeps.${others} ${CAUTION}`,
    code: `${setCommand(look, variablesFor(data, best))}\n${verifyCommand(look, best.path.split('/').at(-1) ?? best.path)}`,
  };
};

const arenasFix = (look: Look, data: MallocData, last: Books): Fix | null => {
  if (last.total.count < 4 || data.settings.some((each) => /^MALLOC_ARENA_MAX=|arena_max/.test(each.text))) return null;
  return {
    title: 'Or let threads share two arenas: MALLOC_ARENA_MAX=2',
    detail: `There are ${count(last.total.count, 'arena')} now; glibc allows eight a CPU (mallopt(3), M_ARENA_MAX). Fewer keep less, at the price of threads that wait for each other in malloc. It needs no library.`,
    code: `${setCommand(look, ['MALLOC_ARENA_MAX=2'])}\ntr '\\0' '\\n' </proc/NEW_PID/environ | grep MALLOC_ARENA_MAX`,
  };
};

const isPython = (look: Look): boolean => {
  const who = look.see(identify);
  return !who.seen || who.data.runtime.kind === 'python';
};

const trimFix = (look: Look, last: Books): Fix => ({
  title: `Or give it back from within after each load: malloc_trim(0) would free ${bytes(last.total.trimmable)} now`,
  detail:
    'The service itself calls it when a load is over. It takes the lock of one arena after the other for milliseconds to tenths of a second, so not within a request. ' +
    'Only whole pages can go: pieces between objects that live stay. Never call it from outside with a debugger: a thread may be inside of malloc.',
  code: isPython(look)
    ? 'import ctypes\n\nctypes.CDLL("libc.so.6").malloc_trim(0)'
    : '#include <malloc.h>\n\nmalloc_trim(0);',
});

/** What to do about memory that malloc keeps: with this host's libraries, this process's unit or command line. */
export const retentionFixes = (look: Look, data: MallocData, last: Books): Fix[] =>
  [preloadFix(look, data), arenasFix(look, data, last), trimFix(look, last)].filter((fix) => fix !== null);
