import type { Fix } from '../model/index.ts';
import type { RelativeProcess } from '../probes/children.ts';
import type { Family, ProcessWait } from '../reading/processes.ts';
import { intArgument } from '../reading/syscalls.ts';
import { code, list, shellCommand } from '../reading/text.ts';
import type { Opinion } from './pipe-deadlock.opinions.ts';

/** Sentences and fixes of pipe-deadlock. */

/** How a process is called in sentences. */
export const processName = (family: Family, process: RelativeProcess): string =>
  process === family.target ? 'this process' : `process ${process.pid} (${code(process.command, 80)})`;

const shortName = (family: Family, process: RelativeProcess): string =>
  process === family.target ? 'this process' : `process ${process.pid} (${code(process.comm, 30)})`;

const STANDARD = ['standard input', 'standard output', 'standard error'];

const fdName = (fd: number | null): string =>
  fd === null ? 'a descriptor' : fd >= 0 && fd < 3 ? `its ${STANDARD[fd]}` : `its descriptor ${fd}`;

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Those at the other end who are part of it, by name and descriptor. */
const endsOf = (family: Family, wait: ProcessWait, ring: readonly ProcessWait[]): string => {
  const inRing = wait.on.filter((each) => ring.some((other) => other.process === each));
  return list(
    (inRing.length > 0 ? inRing : wait.on).slice(0, 3).map((each) => {
      const fd = each.pipes.find(
        (pipe) =>
          `pipe:[${pipe.inode}]` === wait.channel &&
          (pipe.end === 'both' || (pipe.end === 'read') === (wait.kind === 'writes')),
      )?.fd;
      return `${processName(family, each)}${fd === undefined ? '' : ` (descriptor ${fd})`}`;
    }),
  );
};

/** One wait of the ring as a sentence. */
export const sentenceOf = (family: Family, wait: ProcessWait, ring: readonly ProcessWait[]): string => {
  const who = capital(processName(family, wait.process));
  const fd = fdName(intArgument(wait.thread.args, 0));
  const channel = code(wait.channel ?? 'a pipe');
  if (wait.kind === 'writes')
    return `${who} stands in ${code(wait.thread.syscall)} to ${fd}, ${channel}, which is full; the end to read from is with ${endsOf(family, wait, ring)}.`;
  if (wait.kind === 'reads')
    return `${who} stands in ${code(wait.thread.syscall)} from ${fd}, ${channel}, which is empty; the end to write to is with ${endsOf(family, wait, ring)}, so that neither data nor an end of file comes.`;
  if (wait.kind === 'child')
    return `${who} stands in ${code(wait.thread.syscall)} and waits for ${list(wait.on.slice(0, 3).map((each) => processName(family, each)))} to end.`;
  return `${who} waits for a lock that processes share, which one of the others has.`;
};

/** The headline. */
export const titleOf = (family: Family, opinion: Opinion, where: string | null): string => {
  const at = where === null ? '' : ` (${where})`;
  const { writer, reader, ring } = opinion;
  if (writer === null) {
    const waits = ring.find((wait) => wait.kind === 'child');
    return waits === undefined
      ? `Deadlock over pipes: ${list([...new Set(ring.map((wait) => shortName(family, wait.process)))])} each read, and each waits for the other to write${at}`
      : `Deadlock over a pipe: ${shortName(family, waits.process)} waits for ${shortName(family, reader)} to end, which waits for the end of its input, held open by ${reader === waits.process ? 'itself' : shortName(family, waits.process)}${at}`;
  }
  if (opinion.confidence < 0.5)
    return `${capital(shortName(family, writer.process))} is blocked: the pipe that ${shortName(family, reader)} should read is full`;
  const two = ring.filter((wait) => wait.kind === 'writes').length > 1;
  if (writer.process === reader)
    return `${capital(shortName(family, reader))} writes into a full pipe that only it could read${at}`;
  return two
    ? `Deadlock over pipes: ${shortName(family, writer.process)} and ${shortName(family, reader)} each write into a full pipe that the other does not read${at}`
    : `Deadlock over a pipe: ${shortName(family, reader)} waits for ${shortName(family, writer.process)}, which is blocked writing into the full pipe that ${reader === family.target ? 'this process' : 'the first'} should read${at}`;
};

const drainNow = (family: Family, opinion: Opinion): Fix[] => {
  const { writer, reader } = opinion;
  const pipe = reader.pipes.find((each) => `pipe:[${each.inode}]` === writer?.channel && each.end !== 'write');
  if (writer === null || pipe === undefined) return [];
  const out = `/var/tmp/pipe-${writer.process.pid}.out`;
  return [
    {
      title: 'To let both go on now: take the bytes out of the pipe',
      detail:
        `What ${processName(family, writer.process)} has written then lands in a file, and ${processName(family, reader)} does not get it; but both go on, and nothing has to be killed. ` +
        `Or end the writer: ${code(shellCommand(['kill', String(writer.process.pid)]))}.`,
      code: `timeout 60 cat /proc/${reader.pid}/fd/${pipe.fd} > ${out}`,
    },
  ];
};

const verifyOf = (opinion: Opinion): Fix => {
  const pid = opinion.writer?.process.pid ?? opinion.reader.pid;
  return {
    title: 'Verify',
    detail:
      'While the child is at work, its thread may stand in a pipe only for moments: the count of bytes written must rise between two looks. With more output than a pipe holds (64 KiB by default, pipe(7)) the fault would show at once.',
    code: `grep wchar /proc/${pid}/io; sleep 2; grep wchar /proc/${pid}/io; cat /proc/${pid}/wchan; echo`,
  };
};

/** What to change in the program that reads, and what to do now. */
export const fixesOf = (family: Family, opinion: Opinion, where: string | null): Fix[] => {
  const { writer, reader, ring } = opinion;
  const place = where !== null && reader === family.target ? where : `the code of ${processName(family, reader)}`;
  if (writer === null) {
    const parent = ring.find((wait) => wait.kind === 'child')?.process ?? family.target;
    return [
      {
        title: 'Close the end to write to before waiting',
        detail:
          `${capital(processName(family, reader))} reads until the end of its input, which comes only when every copy of the end to write to is closed. ` +
          `${where !== null && parent === family.target ? where : `The code of ${processName(family, parent)}`} has one open. ${code('communicate()')} writes, closes, reads and waits in the right order; a buffered file needs ${code('flush()')} before anybody waits for an answer.`,
        code: 'out, err = process.communicate(data)      # writes, closes stdin, drains, waits\n# or by hand:\nprocess.stdin.write(data)\nprocess.stdin.close()                     # the child sees the end of file\nprocess.wait()',
      },
      {
        title: 'To get rid of it now: end the reader',
        detail: `${capital(processName(family, parent))} goes on when the other has ended. Work that it had begun is lost.`,
        code: shellCommand([
          'kill',
          String(
            reader === family.target
              ? (ring.find((wait) => wait.process !== family.target)?.process.pid ?? reader.pid)
              : reader.pid,
          ),
        ]),
      },
    ];
  }
  const forked =
    writer.process.origin === 'forked' ||
    (opinion.reader.origin === 'forked' && writer.process.relation !== 'descendant' && ring.length > 1);
  const fix: Fix = forked
    ? {
        title: 'Take everything out of the queue or pipe before joining the child',
        detail: `${capital(place)} waits although the child still has data to hand over: a process that has put things into a ${code('multiprocessing.Queue')} or pipe does not end before they are taken out. Read first, join afterwards; two that both send need one who reads meanwhile.`,
        code: 'results = [queue.get() for _ in jobs]      # first take everything out ...\nfor worker in workers:\n    worker.join()                          # ... then wait for the end',
      }
    : {
        title: `Read what the child writes while waiting for it: ${code('communicate()')}`,
        detail:
          `A pipe holds 64 KiB (pipe(7)); what comes beyond waits until somebody reads. In ${place} nobody does. Let ${code('communicate()')} drain ${code('stdout')} and ${code('stderr')} at once, read both pipes in threads, or let the child write to a file or to ${code('subprocess.DEVNULL')} when nobody wants its output. ` +
          `${code('wait()')}, ${code('poll()')} in a loop and reading one pipe to its end before the other are all unsafe with ${code('PIPE')}.`,
        code: "out, err = process.communicate(timeout=600)   # instead of process.wait()\n# or, for much output:\nwith open('/var/tmp/output', 'wb') as file:\n    subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=True)",
      };
  return [fix, ...drainNow(family, opinion), verifyOf(opinion)];
};
