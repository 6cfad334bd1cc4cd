import { LookFailed } from '../../playbooks/model/index.ts';
import type { HostWord } from './frames.ts';
import type { StreamEnd } from './transports/stream.ts';

/** What the runner could not do without, as a sentence about `host`. */
const refusal = (host: string, reason: string): LookFailed => {
  const [code, ...rest] = reason.split(' ');
  const what = rest.join(' ');
  if (code === 'no-proc') {
    return new LookFailed(
      'not-linux',
      `${host} has no readable /proc, so it is not a Linux host that can be examined.`,
    );
  }
  if (code === 'not-installed') {
    const how = 'install it there (`straceback host-kit FOLDER` has it), or set runner: auto';
    return new LookFailed('host-garbage', `${host} has no installed runner, and its settings ask for one; ${how}.`);
  }
  if (code === 'version') {
    return new LookFailed('host-garbage', `The runner on ${host} was replaced a moment ago; ask again.`);
  }
  if (code === 'busy') {
    return new LookFailed(
      'busy',
      `The runner on ${host} has all the sessions that it takes; ask again when some are done.`,
    );
  }
  if (code === 'missing') {
    const need = `The command \`${what}\` is missing on ${host}`;
    return new LookFailed('host-garbage', `${need}; install coreutils (or a current busybox) there and ask again.`);
  }
  const where = '/dev/shm, /tmp and $TMPDIR';
  return new LookFailed(
    'host-garbage',
    `${host} has no folder to write to (${where}); make room in one and ask again.`,
  );
};

/** Why the runner on `host` did not begin within `waitedMs`: by what it said instead of `ready`, and by what else was heard. */
export const notReady = (
  host: string,
  word: HostWord | StreamEnd | null,
  heard: string,
  waitedMs: number,
): LookFailed => {
  if (word !== null && 'kind' in word && word.kind === 'refused') return refusal(host, word.reason);
  if (word === null && heard === '') {
    const waited = `${Math.round(waitedMs / 1000)} seconds`;
    const sentence = `${host} let us in but gave no shell within ${waited}; log in by hand and see what holds it up.`;
    return new LookFailed('unreachable', sentence);
  }
  const quote = heard === '' ? 'nothing' : `“${heard}”`;
  const sentence = `${host} gave no usable shell but answered ${quote}; check the account's login shell and start-up files there.`;
  return new LookFailed('host-garbage', sentence);
};
