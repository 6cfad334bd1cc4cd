import {
  type Evidence,
  evidenceErrorText,
  LookFailed,
  type Observation,
  type Phase,
  type Request,
} from '../playbooks/model/index.ts';

/** What each phase does, for the progress line. */
export const PHASE_WORDS: Readonly<Record<Phase, string>> = {
  1: 'Identifying the process',
  2: 'Sampling threads and stacks',
  3: 'Tracing system calls',
  4: 'Reading stacks from the stopped process',
  5: 'Writing a core',
  6: 'Reading the core',
};

const BEGINS: Readonly<Record<Phase, number>> = { 1: 5, 2: 20, 3: 60, 4: 80, 5: 90, 6: 95 };
const NEXT: Readonly<Record<Phase, number>> = { 1: 20, 2: 60, 3: 80, 4: 90, 5: 95, 6: 99 };

/** How far a look is, in percent, when `share` (0 to 1) of a phase is over. */
export const percentOf = (phase: Phase, share: number): number =>
  Math.round(BEGINS[phase] + share * (NEXT[phase] - BEGINS[phase]));

/** Why there is nothing to report, when the process could not even be identified. */
export const failureOf = (
  request: Request,
  unseen: Extract<Observation<unknown>, { seen: false }>,
  evidence: Evidence | undefined,
): LookFailed => {
  const where = `process ${request.pid} on ${request.host}`;
  switch (unseen.reason) {
    case 'target-gone':
      return new LookFailed(
        'no-such-process',
        `There is no ${where}: it has ended or never was. Check the pid (${unseen.why}).`,
      );
    case 'not-applicable':
      return new LookFailed('kernel-thread', `I cannot look at ${where}: ${unseen.why}.`);
    case 'no-permission':
      return new LookFailed(
        'no-permission',
        `I may not read ${where}: ${unseen.why}. Log in as root or as the process's user, or allow sudo -n.`,
      );
    case 'connection-lost':
      return new LookFailed(
        'connection-lost',
        `The connection to ${request.host} was lost before ${where} could be read. Ask again when the host can be reached.`,
      );
    case 'timed-out':
      return new LookFailed(
        'unreachable',
        `${request.host} did not answer in time when asked about process ${request.pid}; it may be overloaded. Ask again.`,
      );
    default: {
      const said = evidence === undefined ? '' : evidenceErrorText(evidence).trim().split('\n')[0]?.slice(0, 160);
      // A runner that is installed on the host lets one session look at a process.
      if (said?.startsWith('straceback: another look at process ') === true) {
        const why = 'another look at it is running on the host; ask again when it is done';
        return new LookFailed('busy', `I cannot look at ${where} now: ${why}.`);
      }
      // What a probe says is kept on the host until it is fetched, and is far below its limit here.
      if (evidence !== undefined && evidence.dropped > 0) {
        const why = `there is no room for its answer in the memory disk of ${request.host}`;
        return new LookFailed(
          'internal',
          `I could not read ${where}: ${why}. Make room in /dev/shm or /tmp there and ask again.`,
        );
      }
      return new LookFailed(
        'internal',
        `I could not read ${where}: ${unseen.why}${said ? ` (the host said: ${said})` : ''}.`,
      );
    }
  }
};

/** What a person is told when the connection breaks in the middle of a look. */
export const connectionLost = (host: string, phase: Phase): string =>
  `The connection to ${host} was lost while looking (${PHASE_WORDS[phase].toLowerCase()}); what was running there ends by itself. Ask again when the host can be reached.`;
