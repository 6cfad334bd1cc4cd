import { z } from 'zod';

/** The closed set of ways in which a look can fail before there is anything to report. */
export const FailureCode = z.enum([
  'bad-request',
  'unknown-playbook',
  'unknown-host',
  'unreachable',
  'host-key-unknown',
  'host-key-changed',
  'login-refused',
  'bad-key-file',
  'host-garbage',
  'no-such-process',
  'kernel-thread',
  'process-replaced',
  'process-ended',
  'not-linux',
  'no-permission',
  'not-approved',
  'connection-lost',
  'busy',
  'interrupted',
  'cancelled',
  'internal',
]);
export type FailureCode = z.infer<typeof FailureCode>;

/** One clear sentence for a person: what happened and what to do. */
export const Failure = z.object({
  code: FailureCode,
  sentence: z.string(),
  /** The process to look at instead: what runs in the place of one that has gone. */
  instead: z.object({ pid: z.number().int(), startTime: z.string() }).optional(),
});
export type Failure = z.infer<typeof Failure>;

/** A look that cannot go on. `message` is the sentence that a person reads; `cause` keeps the original error. */
export class LookFailed extends Error {
  readonly code: FailureCode;
  readonly instead: Failure['instead'];
  constructor(code: FailureCode, sentence: string, cause?: unknown, instead?: Failure['instead']) {
    super(sentence, { cause });
    this.name = 'LookFailed';
    this.code = code;
    this.instead = instead;
  }
  toFailure(): Failure {
    const { code, message: sentence, instead } = this;
    return { code, sentence, ...(instead === undefined ? {} : { instead }) };
  }
}
