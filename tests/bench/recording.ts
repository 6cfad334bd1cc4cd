import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { hostLookup, localHost } from '../../infra/hosts.ts';
import { investigate } from '../../workers/investigate.ts';
import { loadKnowledge } from '../../workers/knowledge.ts';
import { sentDialect } from '../../workers/ssh/dialect.ts';
import { openShell } from '../../workers/ssh/shell.ts';

/** Where the runner of a host that only replays says that it writes. */
export const REPLAY_FOLDER = '/tmp/straceback-replayed';

/** What a host once answered to a step, and how long that took. */
export const RecordedAnswer = z.strictObject({
  /** The line that asks for it, without the number of the step (`sb_run NUMBER `). */
  line: z.string(),
  exit: z.number(),
  milliseconds: z.number(),
  /** Base64, as the error output is. */
  stdout: z.string(),
  stderr: z.string(),
});
export type RecordedAnswer = z.infer<typeof RecordedAnswer>;

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/** Takes one harmless look at a process of this machine and gives every step's answer as it went over the wire. Throws LookFailed. */
export const recordLook = async (pid: number, windowSeconds: number): Promise<RecordedAnswer[]> => {
  const answers: RecordedAnswer[] = [];
  const dialect = sentDialect();
  const host = localHost();
  await investigate(
    {
      id: randomUUID(),
      host: 'local',
      pid,
      playbook: 'triage',
      windowSeconds,
      allow: ['none'],
      origin: { kind: 'terminal' },
      requestedAt: Date.now(),
    },
    {
      ...(await loadKnowledge()),
      openShell: async () => {
        const shell = await openShell(host, hostLookup([]));
        return {
          root: shell.root,
          cancel: (id) => shell.cancel(id),
          close: () => shell.close(),
          run: async (step) => {
            const written = dialect.lines(0, step, Math.ceil(step.seconds)) ?? [];
            const lines = written.map((each) => Buffer.from(each).toString()).join('');
            const mark = 'sb_run 0 ';
            const at = lines.startsWith(mark) ? 0 : lines.lastIndexOf(`\n${mark}`) + 1;
            const result = await shell.run(step);
            answers.push({
              line: lines.slice(at + mark.length),
              exit: result.exit ?? 0,
              milliseconds: Math.round(result.seconds * 1000),
              stdout: base64(result.stdout),
              stderr: base64(result.stderr),
            });
            return result;
          },
        };
      },
      keepFolder: () => host.keepFolder,
      progress: () => {},
      journal: { started: async () => {}, earlier: async () => [] },
      signal: new AbortController().signal,
      now: Date.now,
    },
  );
  return answers;
};
