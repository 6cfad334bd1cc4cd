import type { Origin, Request } from '../../playbooks/model/index.ts';
import type { Content, Mark } from '../slack/shapes.ts';
import { showingMark } from './first-message.ts';

type SlackOrigin = Extract<Origin, { kind: 'slack' }>;

/** Who is named and mentioned for a look; nobody for one that an alert asked for. */
export const askerOf = (origin: SlackOrigin): string | null => (origin.via === 'alert' ? null : origin.user);

/** Whether a message shows the end of this look and not of a newer one: its last line names the look. */
export const shows = ({ blocks }: Content, requestId: string): boolean =>
  JSON.stringify(blocks.at(-1) ?? null).includes(requestId);

/** The message that shows a look: where it is, what it is recognised by, and what its edits are ordered by. */
export const showing = (request: Request, origin: SlackOrigin) => {
  const { channel, threadTs, messageTs } = origin;
  const ts = messageTs ?? threadTs;
  const mark: Mark = showingMark(request, messageTs === undefined ? 'first' : 'look');
  return {
    at: { channel, ts, threadTs },
    mark,
    edited: { channel, ts, requestId: request.id, requestedAt: request.requestedAt },
  };
};
