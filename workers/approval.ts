import {
  formatImpacts,
  HARMLESS_BY_DEFAULT,
  type Impact,
  impactsNotAllowed,
  LookFailed,
  type Request,
} from '../playbooks/model/index.ts';

/** The impacts that a request may really have: one that a rule asked for, and no person, is never more than harmless. */
export const permitted = ({ allow, origin }: Request): Impact[] =>
  origin.kind === 'slack' && origin.via === 'alert'
    ? allow.filter((impact) => HARMLESS_BY_DEFAULT.includes(impact))
    : [...allow];

const expired = ({ host, pid }: Request, until: number): string =>
  `The approval for process ${pid} on ${host} was good until ${new Date(until).toISOString().slice(11, 19)} UTC, and it is later now. Nothing that needed it was run. Ask again.`;

/**
 * Holds a request against the approval that it carries, before anything is run for it. `now` is in milliseconds since 1970.
 * Throws LookFailed when the approval is for something else, for less, or over. Without an approval there is nothing to check.
 */
export const checkApproval = (request: Request, now: number): void => {
  const { approval, host, pid } = request;
  if (approval === undefined) return;
  if (approval.host !== host || approval.pid !== pid) {
    throw new LookFailed(
      'not-approved',
      `The approval is for process ${approval.pid} on ${approval.host}, not for ${pid} on ${host}. Ask again.`,
    );
  }
  const beyond = impactsNotAllowed(permitted(request), [...HARMLESS_BY_DEFAULT, ...approval.impacts]);
  if (beyond.length > 0) {
    throw new LookFailed(
      'not-approved',
      `The look would have the impact ${formatImpacts(beyond)}, which the approval does not cover. Ask again.`,
    );
  }
  if (now > approval.until) throw new LookFailed('not-approved', expired(request, approval.until));
};

/**
 * The same once the process has been identified: it must be the one that was shown to the approver. `startTime` is as in Target.
 * Throws LookFailed when it is another.
 */
export const checkApprovedProcess = ({ approval, host, pid }: Request, startTime: string): void => {
  if (approval?.startTime === undefined || approval.startTime === startTime) return;
  throw new LookFailed(
    'not-approved',
    `The approval is for another process: ${pid} on ${host} is not the one any more that was looked at before, its pid was reused. Look at it first, then ask again.`,
  );
};

/** The same at the moment a step with these impacts begins. Throws LookFailed when the approval is over by then. */
export const checkStep = (request: Request, impacts: readonly Impact[], now: number): void => {
  if (impactsNotAllowed(impacts, HARMLESS_BY_DEFAULT).length > 0) checkApproval(request, now);
};
