import type { Fix } from '../model/index.ts';
import { asksForTime, namesIn } from '../reading/source-variables.ts';
import { code, count, list, shellCommand } from '../reading/text.ts';
import type { Spin } from './busy-loop.spin.ts';
import { goesOverEndless } from './busy-loop.sureness.ts';
import type { SyscallSpin } from './busy-loop.syscalls.ts';

/** Keeps the state for later: what every finding of a spin advises first. `python`: whether Python frames are in it. */
export const coreFix = (pid: number, python: boolean): Fix => ({
  title: 'Keep the state before you restart',
  detail:
    'A restart ends the symptom and destroys the evidence. Take a core first, with room on the disk for its resident set; the process ' +
    `stands still for seconds per GiB. ${python ? 'Python frames and variables can be read from it later with the same build of the interpreter.' : 'Stacks and variables can be read from it later with the same executable and its debug information.'}`,
  code: `${shellCommand(['gcore', '-o', '/var/tmp/core', String(pid)])}\n# later: gdb /proc/${pid}/exe /var/tmp/core.${pid}   (${python ? 'py-bt, py-locals' : 'thread apply all bt full'})`,
});

const nameList = (names: readonly string[]): string => list(names.slice(0, 5).map((name) => code(name, 60)));

/** Where the loop is: `` `/srv/app/pool.py:37-46` ``. */
export const placeOf = (spin: Spin): string => {
  const low = spin.loop?.line ?? spin.lines[0] ?? spin.frame.firstLine;
  const high = Math.max(spin.loop?.endLine ?? 0, spin.lines.at(-1) ?? 0);
  return code(`${spin.frame.file}:${low === high ? low : `${low}-${high}`}`, 200);
};

/** What the variables say, in sentences. */
export const stateSentences = (spin: Spin): string => {
  const sentences: string[] = [];
  if (spin.past !== null) {
    sentences.push(
      `${code(spin.past.name, 60)} went from ${spin.past.from} to ${spin.past.to}, past what the condition waits for, and can only go further away.`,
    );
  }
  if (spin.grows !== null) {
    sentences.push(
      `${code(spin.grows.name, 60)} grew from ${spin.grows.from} to ${spin.grows.to}, as fast as the loop went over it, so that its end comes no nearer.`,
    );
  }
  const conditioned = spin.loop?.kind === 'while' ? namesIn(spin.loop.text) : [];
  const movedInCondition = spin.returning.filter((each) => conditioned.includes(each.name)).map((each) => each.name);
  if (spin.stayed.length > 0 && movedInCondition.length > 0) {
    sentences.push(
      `Of what the loop's condition depends on, ${nameList(spin.stayed)} did not change, and ${nameList(movedInCondition)} came back to earlier values.`,
    );
  } else if (spin.stayed.length > 0) {
    sentences.push(
      `What the loop's condition depends on did not change: ${nameList(spin.stayed)} ${spin.stayed.length === 1 ? 'was' : 'were'} the same in every look.`,
    );
  }
  const returning = [...new Set(spin.returning.map((each) => each.name).filter((name) => !/^@|slot \d/.test(name)))];
  if (returning.length > 0) {
    sentences.push(`What moves comes back again and again to values that it had before: ${nameList(returning)}.`);
  } else if (spin.past === null && spin.grows === null && spin.stayed.length === 0) {
    sentences.push('None of the variables that its frames refer to changed.');
  }
  if (spin.counting.length > 0) {
    const names = [...new Set(spin.counting.map((each) => each.name))];
    sentences.push(
      `Only ${nameList(names)} ${names.length === 1 ? 'grows' : 'grow'}, and nothing in the loop depends on it: it counts rounds.`,
    );
  }
  return sentences.join(' ');
};

/** The change that the kind of loop asks for: wait for a flag, pause until a deadline, leave when nothing changes. */
const wayOut = (spin: Spin, condition: string | null, where: string): Fix => {
  const { loop } = spin;
  const title = `Give the loop at ${where} a way out`;
  if (goesOverEndless(spin)) {
    return {
      title: 'Give the search an end',
      detail: `What ${where} goes over has no end (itertools.cycle or alike) and holds nothing that fits. Go round once and raise when nothing was found.`,
      code: 'found = next((each for each in candidates if fits(each)), None)\nif found is None:\n    raise LookupError("none of the candidates fits")',
    };
  }
  if (loop === null) {
    return {
      title,
      detail: `The loop is in ${code(spin.frame.function)}; its text could not be read here. Find what it waits for, and make each round either bring that nearer or leave.`,
    };
  }
  if (loop.kind === 'for' && spin.grows !== null) {
    const name = spin.grows.name.slice('len('.length, -1);
    return {
      title: `Do not add to ${code(name, 60)} while the loop at ${where} goes over it`,
      detail: `${condition} goes over a list to whose end its own rounds add. Collect what is to be tried again in another list, and go over that a bounded number of times.`,
      code: `for attempt in range(5):\n    again = []\n    ${loop.header.replace(name, 'todo')}\n        ...            # again.append(item) instead of ${name}.append(item)\n    if not again:\n        break\n    todo = again`,
    };
  }
  if (loop.kind === 'for') {
    return {
      title,
      detail: `${condition} never comes to its end. Bound what it goes over, or leave when a whole turn has found nothing.`,
    };
  }
  const event = /^not\s+([A-Za-z_][\w.]*)\.is_set\(\s*\)$/.exec(loop.text.trim());
  if (event !== null) {
    return {
      title: `Let the loop at ${where} wait`,
      detail: `${condition} asks again and again without a pause. Wait on the event itself, with a limit, and do in each round what there is to do.`,
      code: `while not ${event[1]}.wait(timeout=1.0):\n    ...`,
    };
  }
  if (asksForTime(loop.text)) {
    return {
      title: `Let the loop at ${where} wait`,
      detail: `${condition} asks without a pause until its deadline. Wait for the event itself up to the deadline; where there is none, sleep for a real time between two looks.`,
      code: `${loop.header}\n    ...\n    time.sleep(0.1)`,
    };
  }
  if (/^\(?\s*(True|1)\s*\)?$/.test(loop.text)) {
    return {
      title,
      detail: `${condition} ends only by a break, return or exception inside of it, and no round came to one. Bound the rounds, or leave or raise when a whole round has changed nothing.`,
    };
  }
  const why =
    spin.stayed.length > 0
      ? `stays true because a round can leave ${nameList(spin.stayed)} as ${spin.stayed.length === 1 ? 'it is' : 'they are'}`
      : 'stays true whatever a round does';
  return {
    title,
    detail: `${condition} ${why}. Leave the loop, or raise, when a whole round has changed nothing.`,
    code: `rounds = 0\n${loop.header}\n    rounds += 1\n    progress = False\n    ...  # set progress = True wherever something is taken, settled or moved on\n    if not progress:\n        log.warning('gave up after %d rounds without progress', rounds)\n        break`,
  };
};

/** What to change in a Python loop that gets nowhere. */
export const loopFixes = (pid: number, spin: Spin): Fix[] => {
  const { loop } = spin;
  const condition = loop === null ? null : code(loop.header, 120);
  const where = placeOf(spin);
  const fixes: Fix[] = [
    wayOut(spin, condition, where),
    {
      title: 'Make the next one visible and harmless',
      detail:
        'A bound on rounds or on time turns an endless loop into an error with a stack trace; a log line every so many rounds tells which input did it. ' +
        'The input that triggers it is in the variables of the frame: write a test with it.',
      code: `for attempt in range(MAX_ROUNDS):\n    ...\nelse:\n    raise RuntimeError('${spin.frame.function.replaceAll("'", '')}: no result after %d rounds' % MAX_ROUNDS)`,
    },
  ];
  return [coreFix(pid, true), ...fixes];
};

const FORM: Readonly<Record<SyscallSpin['form'], (spin: SyscallSpin, peer: string) => { says: string; fix: Fix }>> = {
  'end-of-data': (spin, peer) => ({
    says: `${spin.name} on ${peer} gives 0 bytes at once, each time: the other side has closed, or the file is at its end, and the program asks again.`,
    fix: {
      title: 'Treat an empty read as the end',
      detail:
        'A read of 0 bytes means that nothing will ever come again (recv(2), read(2)). Close the descriptor, and raise or reconnect with a pause; for a file that grows, sleep or use inotify between looks.',
      code: "data = sock.recv(65536)\nif not data:\n    raise ConnectionError('peer closed the connection')",
    },
  }),
  'not-ready': (spin, peer) => ({
    says: `${spin.name} on ${peer} fails with ${spin.errno ?? 'EAGAIN'} at once, each time: it is non-blocking and not ready, and the program asks again without waiting.`,
    fix: {
      title: 'Wait until it is ready',
      detail:
        'Ask the kernel to tell when the descriptor is ready (selectors, asyncio, poll with a timeout), or make it blocking with a timeout.',
      code: 'selector.register(sock, selectors.EVENT_READ)\nfor key, _ in selector.select(timeout=30):\n    data = key.fileobj.recv(65536)',
    },
  }),
  'ready-ignored': (spin, peer) => ({
    says: `${spin.name} says at once, each time, that something is ready, and the program takes nothing from it${spin.fd === null ? '' : ` (it waits on ${peer})`}.`,
    fix: {
      title: 'Take what is ready, or stop watching it',
      detail:
        'A level-triggered poll returns as long as there are unread bytes, a closed peer or a writable socket that is watched for writing. Read it, unregister it while it is paused, or close it; watch for EVENT_WRITE only while there is something to send.',
      code: 'selector.unregister(sock)   # or selector.modify(sock, selectors.EVENT_READ, data)',
    },
  }),
  'not-waiting': (spin) => ({
    says: `${spin.name} is called with a timeout of 0 again and again and finds nothing: the loop polls instead of waiting.`,
    fix: {
      title: 'Let the poll wait',
      detail:
        'Give the poll a timeout, or none, and wake it by a descriptor or a queue when there is work. In asyncio a callback that schedules itself with call_soon, or `while …: await asyncio.sleep(0)`, does this; wait for an Event instead.',
      code: 'await asyncio.wait_for(event.wait(), timeout=30)',
    },
  }),
  yielding: (spin) => ({
    says: `${spin.name} gives the processor away for no time at all, again and again: the program waits for something by asking for it without a pause.`,
    fix: {
      title: 'Wait for the event itself',
      detail:
        'Use a lock, condition, event or queue that wakes the thread; where there is none, sleep for a real time between looks.',
      code: 'ready = threading.Event()\nready.wait(timeout=30)',
    },
  }),
  repeating: (spin, peer) => ({
    says: `${spin.name}${spin.fd === null ? '' : ` on ${peer}`} gives the same answer at once, each time: the program asks for a change again and again instead of waiting for it.`,
    fix: {
      title: 'Wait for the change instead of asking for it',
      detail:
        'Wait in the kernel where that can be (subprocess.wait, inotify, select, an Event or a queue); else sleep for a real time between two looks, with a limit.',
      code: 'process.wait(timeout=600)   # instead of: while process.poll() is None: pass',
    },
  }),
  failing: (spin, peer) => ({
    says: `${spin.name}${spin.fd === null ? '' : ` on ${peer}`} fails with ${spin.errno ?? 'an error'} at once, each time, and is tried again without a pause.`,
    fix: {
      title: 'Pause between attempts, and give up at some point',
      detail: `Handle ${spin.errno ?? 'the error'} as what it is; retry with growing pauses and a limit, and log each attempt.`,
      code: 'for attempt in range(8):\n    try:\n        ...\n        break\n    except OSError as error:\n        log.warning("attempt %d: %s", attempt, error)\n        time.sleep(min(30, 0.5 * 2 ** attempt))\nelse:\n    raise',
    },
  }),
};

/**
 * What a spin over system calls is, in a sentence, and what to change; the snippets are Python's, so only for `python`.
 */
export const syscallTexts = (spin: SyscallSpin, peer: string, python: boolean): { says: string; fix: Fix } => {
  const { says, fix } = FORM[spin.form](spin, peer);
  return { says, fix: python ? fix : { title: fix.title, detail: fix.detail } };
};

/** Rates as a person says them. */
export const rateOf = (spin: SyscallSpin): string =>
  `${count(spin.count, 'time')} among ${count(spin.of, 'traced call')}, about ${Math.round(spin.perSecond).toLocaleString('en-US')} a second while traced`;
