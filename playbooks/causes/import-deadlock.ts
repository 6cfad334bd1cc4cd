import {
  defineCause,
  type FindingDraft,
  type Fix,
  type Look,
  type PythonFrame,
  type PythonStack,
  type Verdict,
} from '../model/index.ts';
import { pyStacks } from '../probes/py-stacks.ts';
import { lastName, waitsForEvent } from '../reading/lock-frames.ts';
import { wakes } from '../reading/lock-waits.ts';
import {
  frameName,
  ownFrame,
  type PythonThreadView,
  type PythonView,
  pythonThreads,
  quoteFrame,
  threadName,
} from '../reading/python.ts';
import { steadyWait } from '../reading/python-waits.ts';
import { code, count, list, shellCommand } from '../reading/text.ts';

const inImportlib = (frame: PythonFrame): boolean =>
  /^<frozen importlib\b|\/importlib\/_bootstrap\.py$/.test(frame.file);

/** Frames of importlib._bootstrap in which a thread waits for another one that imports the same module (_ModuleLock). */
const isLockWait = (frame: PythonFrame): boolean =>
  inImportlib(frame) && /^(acquire|__enter__|_lock_unlock_module)$/.test(lastName(frame));

/** A thread that waits for a module's lock. */
interface Waiter {
  readonly thread: PythonThreadView;
  readonly stack: PythonStack;
  /** The line with the import; null when all of its stack is importlib's. */
  readonly importing: PythonFrame | null;
}

/** A thread that is in the middle of an import and waits for something else there. */
interface Importer {
  readonly thread: PythonThreadView;
  readonly stack: PythonStack;
  /** The body of the module that is being imported, innermost first. */
  readonly bodies: readonly PythonFrame[];
}

const callerOfImport = (stack: PythonStack): PythonFrame | null =>
  stack.frames.find((frame) => !inImportlib(frame)) ?? null;

const waitersOf = (look: Look, view: PythonView): Waiter[] =>
  view.threads.flatMap((thread) => {
    const stack = thread.stacks[0];
    const wait = steadyWait(thread);
    if (stack === undefined || wait === null || !stack.frames.slice(0, 3).some(isLockWait)) return [];
    if ((wakes(look, thread.tid) ?? 0) > 2) return [];
    return [{ thread, stack, importing: callerOfImport(stack) }];
  });

/** The module bodies on a stack that an import further out runs: a frame `<module>` right inside of importlib's. */
const bodiesOf = (stack: PythonStack): PythonFrame[] =>
  stack.frames.filter((frame, index) => {
    const outer = stack.frames[index + 1];
    return frame.function === '<module>' && outer !== undefined && inImportlib(outer);
  });

const importersOf = (view: PythonView, waiters: readonly Waiter[]): Importer[] =>
  view.threads.flatMap((thread) => {
    const stack = thread.stacks[0];
    if (stack === undefined || waiters.some((waiter) => waiter.thread === thread)) return [];
    const bodies = bodiesOf(stack);
    return bodies.length === 0 ? [] : [{ thread, stack, bodies }];
  });

const moduleOf = (frame: PythonFrame): string => {
  const parts = frame.file.replace(/\.pyc?$/, '').split('/');
  const last = parts[parts.length - 1] ?? '';
  return last === '__init__' ? (parts[parts.length - 2] ?? last) : last;
};

/** How sure it is that the importer waits for the waiter: it does when it waits for a thread and nobody else is there. */
const confidenceOf = (view: PythonView, waiters: readonly Waiter[], importer: Importer): number => {
  const wait = steadyWait(importer.thread);
  const inner = importer.stack.frames[0];
  const waits = wait !== null && (wait.kind !== 'native' || importer.thread.waitsFor !== null);
  if (!waits || inner === undefined) return 0.4;
  const others = view.threads.filter(
    (thread) => thread !== importer.thread && !waiters.some((waiter) => waiter.thread === thread),
  );
  const body = importer.bodies[0];
  // The thread was started by the very module, or the code that waits and that imports are of one file.
  const together = waiters.some((waiter) =>
    waiter.stack.frames.some((frame) => importer.bodies.some((each) => each.file === frame.file)),
  );
  if (wait.kind === 'thread-join' || wait.kind === 'future' || waitsForEvent(inner)) {
    if (others.length === 0 || (together && body !== undefined)) return 0.93;
    return 0.8;
  }
  return others.length === 0 ? 0.85 : 0.7;
};

const fixesOf = (look: Look, waiter: Waiter, importer: Importer): Fix[] => {
  const body = importer.bodies[0];
  const module = body === undefined ? 'module' : moduleOf(body);
  const place = ownFrame(importer.stack);
  const name = /^[A-Za-z_]\w*$/.test(module) ? module : 'module';
  return [
    {
      title: `Start nothing and wait for nothing while ${code(`${module}.py`, 80)} is imported`,
      detail:
        `The body of the module runs under its import lock. ${place === null ? 'There it' : `${frameName(place)}`} waits for a thread, and that thread needs the lock. ` +
        `Move what starts threads and waits for them into a function that is called when the import is done.`,
      code: `# ${name}.py: only definitions at the top level\ndef start():\n    worker = threading.Thread(target=load)\n    worker.start()\n    worker.join()\n\n# in the main program:\nimport ${name}\n${name}.start()`,
    },
    {
      title: 'Import before the thread starts',
      detail: `${waiter.importing === null ? 'The thread' : frameName(waiter.importing)} imports while another import is under way. What is imported already needs no lock: put that import at the top of the file, above the line that starts the thread, when it does not name the module that is being imported.`,
      code: 'import decimal            # at the top, by the main thread\n\ndef load():\n    return decimal.Decimal(1)',
    },
    {
      title: 'To get rid of it now: restart the process',
      detail:
        'Neither of the threads ever goes on, and the next start meets the same fate until the module is changed.',
      code: shellCommand(['kill', '-KILL', String(look.target.pid)]),
    },
  ];
};

const draftOf = (look: Look, view: PythonView, waiters: readonly Waiter[], importer: Importer): FindingDraft => {
  const confidence = confidenceOf(view, waiters, importer);
  const waiter = waiters[0] as Waiter;
  const body = importer.bodies[0] as PythonFrame;
  const wait = steadyWait(importer.thread);
  const waiting = ownFrame(importer.stack) ?? body;
  const modules = [...new Set(importer.bodies.map((frame) => moduleOf(frame)))];
  const where = waiter.importing === null ? 'an import' : frameName(waiter.importing);
  const lockFrame = waiter.stack.frames.find(isLockWait);
  return {
    confidence,
    title:
      confidence < 0.5
        ? `${threadName(waiter.thread).replace(/^./, (letter) => letter.toUpperCase())} waits in ${where} until ${threadName(importer.thread)} has imported ${code(modules[0] ?? 'a module', 60)}`
        : `Import deadlock: ${threadName(importer.thread)} imports ${code(modules[0] ?? 'a module', 60)} and waits in ${frameName(waiting)}, while ${threadName(waiter.thread)} waits for that import in ${where}`,
    summary:
      `${threadName(importer.thread).replace(/^./, (letter) => letter.toUpperCase())} is in the middle of importing ${list(modules.slice(0, 3).map((name) => code(name, 60)))} (body at ${code(`${body.file}:${body.line}`)}) and stands in ${frameName(waiting)}${wait?.call ? `, in ${code(wait.call.function)}` : ''}. ` +
      `${threadName(waiter.thread).replace(/^./, (letter) => letter.toUpperCase())} wants to import in ${where} and waits for the lock that the importing thread has until its import is done${waiters.length > 1 ? `; ${count(waiters.length - 1, 'more thread')} ${waiters.length === 2 ? 'waits' : 'wait'} likewise` : ''}. ` +
      (confidence >= 0.5
        ? 'Each waits for the other, and this does not pass by itself.'
        : 'Whether the import goes on is not seen.') +
      (confidence >= 0.9
        ? ''
        : ' Not seen directly: that the importing thread waits for the one that wants to import.'),
    evidence: [
      quoteFrame(look, importer.thread, waiting),
      ...(body === waiting ? [] : [quoteFrame(look, importer.thread, body)]),
      ...(lockFrame === undefined ? [] : [quoteFrame(look, waiter.thread, lockFrame)]),
      ...(waiter.importing === null ? [] : [quoteFrame(look, waiter.thread, waiter.importing)]),
      ...(waiter.thread.waitsFor === null ? [] : [look.quote(waiter.thread.evidenceId, waiter.thread.waitsFor.at)]),
    ],
    fixes: fixesOf(look, waiter, importer),
  };
};

const judge = (look: Look): Verdict => {
  const view = pythonThreads(look);
  if (view === null)
    return { verdict: 'cannot-tell', why: 'the Python stacks of no thread could be read', wants: [pyStacks.id] };
  const waiters = waitersOf(look, view);
  if (waiters.length === 0) return { verdict: 'clear', why: 'no thread waited for the import lock of a module' };
  const importers = importersOf(view, waiters);
  const ranked = importers.toSorted((a, b) => confidenceOf(view, waiters, b) - confidenceOf(view, waiters, a));
  const [importer] = ranked;
  if (importer === undefined) {
    const blocked = waiters.filter((waiter) => bodiesOf(waiter.stack).length > 0);
    const [first] = blocked;
    if (first === undefined || waiters.length < 2)
      return {
        verdict: 'clear',
        why: 'a thread waits for the import lock of a module, but no thread of this process imports it',
      };
    return {
      verdict: 'fires',
      findings: [
        draftOf(
          look,
          view,
          waiters.filter((each) => each !== first),
          { thread: first.thread, stack: first.stack, bodies: bodiesOf(first.stack) },
        ),
      ],
    };
  }
  return { verdict: 'fires', findings: [draftOf(look, view, waiters, importer)] };
};

/** A thread that imports and waits for one that waits for that import. */
export const importDeadlock = defineCause({
  id: 'import-deadlock',
  title: 'An import waits for a thread that waits for the import',
  needs: [pyStacks],
  explains: ['lock-across-fork', 'signal-storm', 'thread-deadlock', 'waiting-forever'],
  judge,
});
