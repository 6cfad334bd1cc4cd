import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { malloc } from '../../../playbooks/probes/malloc.ts';
import { endProcesses, startProcess, startPython } from '../../support/live-process.ts';
import { canChangeRoot, startInOtherRoot } from '../../support/other-root.ts';
import { runProbe, startTimeOf, stepFor } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';

describe('command', () => {
  it('is one script with the process and two times', () => {
    const { argv, scripts } = malloc.command(stepFor(malloc, { pid: process.pid }));
    expect(argv.slice(1)).toEqual([
      '-I',
      '-S',
      '-B',
      '{script:malloc.py}',
      String(process.pid),
      startTimeOf(process.pid),
      '2',
      '3',
    ]);
    expect(scripts).toContain('py_read_malloc.py');
  });
});

/** What glibc itself says of its books, mallinfo2(3); printed by the program so that the reader can be held to it. */
const BOOKS = `
import ctypes, json, os, random, threading
libc = ctypes.CDLL(None)
class Info(ctypes.Structure):
    _fields_ = [(n, ctypes.c_size_t) for n in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]
libc.mallinfo2.restype = Info
def say(word):
    info = libc.mallinfo2()
    print(word + " " + json.dumps({n: getattr(info, n) for n, _ in Info._fields_}), flush=True)
`;
const THREADS = `${BOOKS}
keep = []
def work(seed):
    r = random.Random(seed)
    mine = [bytearray(r.choice((600, 900, 2000, 5000, 20000, 60000))) for _ in range(1500)]
    keep.append(mine[::40])
ts = [threading.Thread(target=work, args=(i,)) for i in range(6)]
for t in ts: t.start()
for t in ts: t.join()
large = [bytearray(40 << 20)]
json.dumps({"a": 1}); print("ready", flush=True); say("books"); input()
`;

/** Allocates and frees in two threads as fast as it can. */
const BUSY = `
import random, threading
def work(seed):
    r = random.Random(seed); mine = [None] * 400
    while True: mine[r.randrange(400)] = bytearray(r.choice((600, 1300, 9000, 70000)))
for i in range(2): threading.Thread(target=work, args=(i,), daemon=True).start()
print("ready", flush=True); input()
`;

const JEMALLOC = '/usr/lib/x86_64-linux-gnu/libjemalloc.so.2';
const TCMALLOC = '/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4';
const hasMallinfo2 = (() => {
  const version = spawnSync('getconf', ['GNU_LIBC_VERSION']).stdout?.toString() ?? '';
  return Number(/2\.(\d+)/.exec(version)?.[1] ?? 0) >= 33;
})();
const hasGcc = spawnSync('gcc', ['--version']).status === 0;

describe('real processes', () => {
  const folders: string[] = [];
  afterEach(async () => {
    await endProcesses();
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  const look = async (pid: number) => {
    const before = await processState(pid);
    const { parsed } = await runProbe(malloc, { pid });
    await expectUnhurt(pid, before);
    if (!parsed.ok) throw new Error(parsed.why);
    return parsed.data;
  };

  it.skipIf(!hasMallinfo2)('says what glibc’s own books say', async () => {
    const live = await startPython(THREADS);
    const books = JSON.parse((await live.line(/^books /)).slice(6)) as Record<string, number>;
    const { looks } = await look(live.pid);
    const { total, mapped } = looks[0] ?? {};
    expect(total?.system).toBe(books.arena);
    expect(mapped).toMatchObject({ count: books.hblks, bytes: books.hblkhd });
    const free = (total?.free ?? 0) + (total?.top ?? 0) + (total?.fast ?? 0);
    // Printing the books has itself used a little.
    expect(Math.abs(free - (books.fordblks ?? 0))).toBeLessThan(65_536);
    expect(total?.count).toBeGreaterThan(1);
  });

  it('never counts what was torn in a process that allocates all the time', async () => {
    const { pid } = await startPython(BUSY);
    const { looks } = await look(pid);
    for (const { total, arenas } of looks) {
      expect(total.used + total.free + total.top).toBeLessThanOrEqual(total.size);
      expect(total.walked).toBeLessThanOrEqual(total.size);
      for (const arena of arenas) {
        if (arena.stopped === null) expect(arena.used + arena.free + arena.top).toBeGreaterThan(arena.size * 0.9);
      }
    }
  });

  it.skipIf(!existsSync(JEMALLOC) || !existsSync(TCMALLOC))('names a preloaded allocator', async () => {
    for (const [library, kind] of [
      [JEMALLOC, 'jemalloc'],
      [TCMALLOC, 'tcmalloc'],
    ]) {
      const live = await startPython('print("ready", flush=True); input()', [], {
        env: { ...process.env, LD_PRELOAD: library },
      });
      const { allocators, settings, offered } = await look(live.pid);
      expect(allocators).toMatchObject([{ kind, path: expect.stringContaining(`lib${kind}`) }]);
      expect(settings.map((each) => each.text)).toContain(`LD_PRELOAD=${library}`);
      expect(offered.map((each) => each.path)).toContain(library);
    }
  });

  it('reads the heap of a forked process, which brk has left in two mappings', async () => {
    const live = await startPython(`
import os, sys
before = [bytearray(5000) for _ in range(300)]
if os.fork():
    os.wait()
else:
    after = [bytearray(5000) for _ in range(3000)]
    print("ready\\nchild %d" % os.getpid(), flush=True)
    input()
`);
    const child = Number((await live.line(/^child /)).slice(6));
    const [first] = (await look(child)).looks;
    expect(first?.arenas.find((arena) => arena.number === 0)?.heaps).toBe(1);
    expect(first?.total.used).toBeGreaterThan(3300 * 5000);
    live.say('');
  });

  it.skipIf(!hasGcc)('finds the books of a static executable, with and without symbols', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'straceback-malloc-'));
    folders.push(folder);
    const source = join(folder, 'keeper.c');
    writeFileSync(
      source,
      `#include <stdio.h>
#include <stdlib.h>
int main(void) {
  static void *p[4000];
  for (int i = 0; i < 4000; i++) p[i] = malloc(3000 + i % 7 * 100);
  for (int i = 0; i < 4000; i++) if (i % 2) free(p[i]);
  puts("ready"); fflush(stdout); getchar(); return 0;
}
`,
    );
    for (const [name, flags] of [
      ['static', ['-static']],
      ['stripped', ['-static', '-s']],
      ['dynamic', []],
    ] as const) {
      const program = join(folder, name);
      execFileSync('gcc', ['-o', program, ...flags, source]);
      const live = await startProcess(program, []);
      await live.line(/^ready/);
      const { looks, glibc } = await look(live.pid);
      expect(glibc?.how, name).toBe(name === 'static' ? 'symbol' : 'search');
      expect(looks[0]?.total.freeChunks, name).toBeGreaterThanOrEqual(1990);
      expect(looks[0]?.total.used, name).toBeGreaterThan(2000 * 3000);
      expect(
        looks[0]?.sizes.map((each) => each.size),
        name,
      ).toContain(3008);
    }
  });

  it.skipIf(!canChangeRoot())('finds them in another root', async () => {
    const live = await startInOtherRoot(
      'x = [bytearray(5000) for _ in range(3000)]; print("ready", flush=True); input()',
    );
    const process = await look(live.pid);
    expect(process.looks[0]?.total.used).toBeGreaterThan(3000 * 5000);
  });

  it.skipIf(process.getuid?.() !== 0)('gives its reason where memory may not be read', async () => {
    const { pid } = await startPython('print("ready", flush=True); input()');
    const { parsed } = await runProbe(malloc, { pid, uid: 65_534 });
    expect(parsed).toMatchObject({
      ok: false,
      reason: 'no-permission',
      why: expect.stringContaining('CAP_SYS_PTRACE'),
    });
  });

  it('says so when the process ends, or runs another program, between the looks', async () => {
    for (const [word, why] of [
      ['import os; os._exit(0)', /no process|ended/],
      [
        'import os; os.execv("/bin/sleep", ["sleep", "60"])',
        /replaced its program|ended|not mapped|no sense|not found|^$/,
      ],
    ] as const) {
      const live = await startPython('print("ready", flush=True)\nexec(input())');
      const { parsed } = await runProbe(malloc, {
        pid: live.pid,
        // About the pause between two looks: nothing outside tells when that is, and each moment has to be answered. A
        // program that was replaced before the first look is simply looked at.
        onStart: () => void setTimeout(() => live.say(word), 700),
      });
      const said = parsed.ok ? (parsed.partly ?? []).join(' ') : parsed.why;
      expect(said).toMatch(why);
      await endProcesses();
    }
  });

  it('gives its reason for a process that is another one by now', async () => {
    const { pid } = await startPython('print("ready", flush=True); input()');
    const { parsed } = await runProbe(malloc, { pid, startTime: '1' });
    expect(parsed).toMatchObject({ ok: false, reason: 'target-gone' });
  });
});
