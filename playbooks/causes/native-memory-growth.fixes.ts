import type { Fix, Look } from '../model/index.ts';
import { identify } from '../probes/identify.ts';
import { unitOf } from '../reading/memory.ts';
import { clip, kib, shellCommand, visible } from '../reading/text.ts';
import type { Grower } from './native-memory-growth.seen.ts';

/** What to do about native memory that grows at `rate` KiB a second. */
export const nativeFixes = (look: Look, rate: number, growers: readonly Grower[]): Fix[] => {
  const who = look.see(identify);
  const isPython = who.seen && who.data.runtime.kind === 'python';
  const argv = who.seen ? who.data.argv : [];
  const command = clip(visible(shellCommand(argv.length > 0 ? argv : ['COMMAND'])), 300);
  const script = clip(visible(shellCommand(argv.slice(1).length > 0 ? argv.slice(1) : ['PROGRAM'])), 300);
  const unit = unitOf(look);
  const place = growers[0]?.place;
  return [
    {
      title:
        place === undefined
          ? 'Find who asks for it: record allocations with their native stacks'
          : `Look at what ${place} calls outside of Python, and find the allocation without its free`,
      detail:
        'A C extension, a library called by ctypes or cffi, or a binding whose close() is not called. ' +
        'A run with an allocation recorder names the line and the library: on a copy of the service, or after a restart, for some minutes.',
      code: isPython
        ? `python3 -m memray run --native -o /var/tmp/native.bin ${script}\npython3 -m memray flamegraph --leaks /var/tmp/native.bin`
        : `HEAPPROFILE=/var/tmp/heap LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libtcmalloc.so.4 ${command}    # google-perftools`,
    },
    {
      title: 'Free what is asked for, in the code that asks',
      detail:
        'By ctypes: declare argtypes and restype, and call the library’s own free or destroy for each pointer that it hands out, in a finally. In an extension: a PyMem_Free or free on every way out, also on errors, and a tp_dealloc that frees what the object owns. Update the library when the leak is its own.',
      code: 'buffer = library.make_buffer(size)\ntry:\n    use(buffer)\nfinally:\n    library.free_buffer(buffer)',
    },
    {
      title: `Until then bound it: at ${kib(rate * 3600)} an hour, replace the worker before it hurts`,
      detail:
        'A restart gives all of it back. Verify afterwards that the memory in use in malloc stands still: look again with the playbook `memory`.',
      code:
        unit === null
          ? 'gunicorn --max-requests 1000 --max-requests-jitter 100 …     # uwsgi: reload-on-rss = 400; celery: worker_max_memory_per_child'
          : `systemctl set-property ${unit} MemoryHigh=75% MemoryMax=90%`,
    },
  ];
};
