import type { FindingDraft } from '../model/index.ts';
import { sockets } from '../probes/sockets.ts';
import { strace } from '../probes/strace.ts';
import type { Burner } from '../reading/cpu.ts';
import { loopThread } from '../reading/event-loop.ts';
import {
  frameName,
  isLibraryFile,
  ownFrame,
  quoteFrame,
  steadyFrames,
  steadyName,
  threadOf,
} from '../reading/python.ts';
import { code, duration, percent, visible } from '../reading/text.ts';
import { nameOf, type Opinion, type Scene, topStack, waitingSentence } from './busy-loop.findings.ts';
import type { SyscallSpin } from './busy-loop.syscalls.ts';
import { coreFix, rateOf, syscallTexts } from './busy-loop.texts.ts';

const peerOf = (scene: Scene, spin: SyscallSpin): string => {
  const seen = scene.look.see(sockets);
  const socket = spin.fd === null || !seen.seen ? undefined : seen.data.sockets.find((each) => each.fd === spin.fd);
  if (socket !== undefined) {
    return `descriptor ${spin.fd} (${socket.kind} ${visible(socket.local)} to ${visible(socket.peer)}, ${socket.state})`;
  }
  return spin.fd === null
    ? 'its target'
    : `descriptor ${spin.fd}${spin.what === null ? '' : ` (${code(spin.what, 120)})`}`;
};

/** The path that the calls are about, when all examples name the same one. */
const pathIn = (spin: SyscallSpin): string | null => {
  const paths = spin.examples.map((call) =>
    /^(open|openat|openat2|newfstatat|statx?|lstat|access|faccessat2?|readlink(at)?|execve|unlink(at)?|mkdir(at)?)$/.test(
      call.name,
    )
      ? (/"((?:[^"\\]|\\.)+)"/.exec(call.args)?.[1] ?? null)
      : null,
  );
  const [first = null] = paths;
  return paths.every((path) => path === first) ? first : null;
};

/** The finding about system calls that come back at once and bring nothing. */
export const syscallFinding = (scene: Scene, burner: Burner, spin: SyscallSpin): Opinion => {
  const thread = threadOf(scene.view, burner.thread.tid);
  const stack = thread === null ? null : topStack(thread);
  // In an event loop, what goes round is in the callback, though the loop itself may be seen more often.
  const callback = thread === null ? undefined : loopThread(thread)?.frames.find((frame) => !isLibraryFile(frame.file));
  const own = callback ?? (stack === null ? null : ownFrame(stack));
  const steady =
    thread === null
      ? undefined
      : steadyFrames(thread).findLast((frame) => own === null || frame.function === own.function);
  const where = steady !== undefined ? ` in ${steadyName(steady)}` : own !== null ? ` in ${frameName(own)}` : '';
  const traced = scene.look.see(strace);
  const seen = scene.look.see(sockets);
  const socket = spin.fd === null || !seen.seen ? undefined : seen.data.sockets.find((each) => each.fd === spin.fd);
  const { says, fix } = syscallTexts(spin, peerOf(scene, spin), thread !== null);
  const path = pathIn(spin);
  const about = path === null ? '' : ` of ${code(path, 100)}`;
  const draft: FindingDraft = {
    confidence: steady !== undefined || own !== null ? 0.95 : 0.9,
    title: `${nameOf(scene, burner).replace(/^t/, 'T')} spins over ${spin.name}${about}${where}: it comes back at once and brings nothing`,
    summary: `It used ${percent(burner.share)} of a processor over ${duration(scene.sampled.data.seconds)}. ${says}${path === null ? '' : ` It asks for ${code(path, 200)}.`} Seen ${rateOf(spin)}.${waitingSentence(scene)}`,
    evidence: [
      scene.look.quote(scene.sampled.evidenceId, burner.thread.at),
      ...(traced.seen ? spin.examples.map((call) => scene.look.quote(traced.evidenceId, call.at)) : []),
      ...(thread !== null && own !== null ? [quoteFrame(scene.look, thread, own)] : []),
      ...(socket !== undefined && seen.seen ? [scene.look.quote(seen.evidenceId, socket.at)] : []),
    ],
    fixes: [{ ...fix, title: `${fix.title}${where}` }, coreFix(scene.look.target.pid, thread !== null)],
  };
  return { kind: 'finding', key: `${spin.form} ${spin.name} ${spin.fd}`, draft };
};
