import type { Fix, Look, PythonFrame } from '../model/index.ts';
import type { ChildrenData } from '../probes/children.ts';
import { inModule, lastName } from '../reading/lock-frames.ts';
import { frameName, isLibraryFile, type PythonThreadView, pythonThreads } from '../reading/python.ts';
import { bytes, code, duration, kib, shellQuote } from '../reading/text.ts';
import { type Crowd, rateOf } from './thread-leak.crowds.ts';

/** Sentences and fixes of thread-leak. */

/** The frame that starts threads, when a sample met one in Thread.start (Lib/threading.py). */
export const starterOf = (look: Look): { thread: PythonThreadView; frame: PythonFrame } | null => {
  for (const thread of pythonThreads(look)?.threads ?? []) {
    for (const stack of thread.stacks) {
      const at = stack.frames.findIndex((frame) => inModule(frame, 'threading.py') && lastName(frame) === 'start');
      const frame = at < 0 ? undefined : stack.frames.slice(at + 1).find((each) => !isLibraryFile(each.file));
      if (frame !== undefined) return { thread, frame };
    }
  }
  return null;
};

/** How far it is to the limits, and what the stacks take. */
export const limitText = (data: ChildrenData, rssKib: number | null): string => {
  const { limits, threads } = data;
  const parts: string[] = [];
  const most = limits?.tasksMost ?? limits?.processes ?? null;
  const used = limits?.tasksMost ? (limits.tasksUsed ?? threads.last) : threads.last;
  const rate = rateOf(data);
  if (most !== null) {
    const left = rate === null ? '' : `; at this rate it is reached in ${duration(((most - used) / rate) * 60)}`;
    parts.push(
      `The limit is ${most.toLocaleString('en-US')} ${limits?.tasksMost ? `tasks in its control group, of which ${used.toLocaleString('en-US')} are used` : 'processes and threads of its user'}${left}.`,
    );
  }
  if (limits?.stackBytes)
    parts.push(
      `Each thread takes ${bytes(limits.stackBytes)} of address space for its stack, ${bytes(limits.stackBytes * threads.last)} for all${rssKib === null ? '' : ` (resident memory of the process: ${kib(rssKib)})`}.`,
    );
  return parts.join(' ');
};

const folderOf = (crowd: Crowd): string => {
  const file = (crowd.entry ?? crowd.place)?.file ?? '';
  return file.includes('/') ? file.slice(0, file.lastIndexOf('/')) || '/' : '.';
};

/** What to change and how to see that it helped. */
export const fixesOf = (
  look: Look,
  data: ChildrenData,
  crowd: Crowd,
  starter: PythonFrame | null,
  executors: number,
): Fix[] => {
  const pid = look.target.pid;
  const entry = crowd.entry === null ? 'the function' : code(crowd.entry.function);
  const name = crowd.entry?.function.split('.').pop()?.replace(/\W/g, '') || 'work';
  const place = crowd.place === null ? 'their wait' : frameName(crowd.place);
  const change: Fix =
    crowd.executors >= executors
      ? {
          title: 'Make one executor and keep it',
          detail: `Every ${code('ThreadPoolExecutor()')} starts threads of its own, which live until ${code('shutdown()')}. Make one for the process, or use ${code('with')}, which shuts it down.`,
          code: `POOL = ThreadPoolExecutor(max_workers=8)      # once, at the top\n\ndef handle(request):\n    return POOL.submit(work, request).result(timeout=30)`,
        }
      : {
          title: `Let ${entry} end, or let few threads do it for all`,
          detail:
            `Each thread that is started for ${entry} stays in ${place}. Give that wait a time limit and let the function return; keep the thread to ${code('join()')} it; or hand the work to a pool of a fixed size. ` +
            `${code('daemon=True')} does not help: such a thread also lives until the process ends.`,
          code: `from concurrent.futures import ThreadPoolExecutor\n\nPOOL = ThreadPoolExecutor(max_workers=16)     # once\nPOOL.submit(${name}, ...)                      # instead of Thread(target=${name}).start()\n\n# and in ${name}: no wait without a limit\nif not done.wait(timeout=30):\n    return`,
        };
  const find: Fix =
    starter === null
      ? {
          title: 'Find where they are started',
          detail: 'No sample met the moment of a start. The search shows the places that start threads.',
          code: `grep -rnE 'Thread\\(|Timer\\(|ThreadPoolExecutor\\(' ${shellQuote(folderOf(crowd))} --include='*.py'`,
        }
      : {
          title: `Look at ${frameName(starter)}, where they are started`,
          detail: 'How often does it run, and who waits for the threads that it starts?',
          code: `sed -n '${Math.max(1, starter.line - 5)},${starter.line + 5}p' ${shellQuote(starter.file)}`,
        };
  return [
    change,
    find,
    {
      title: 'Verify',
      detail: `The number of threads must stop rising; now it is ${data.threads.last}.`,
      code: `while sleep 10; do ls /proc/${pid}/task | wc -l; done`,
    },
  ];
};
