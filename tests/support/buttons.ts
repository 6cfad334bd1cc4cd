import type { LocalSlack } from '../../infra/sandbox/slack/server.ts';
import type { SlackMessage } from '../../infra/sandbox/slack/types.ts';

/** A button of a message. */
export interface SeenButton {
  readonly label: string;
  readonly actionId: string;
  readonly value: string;
}

/** The buttons that a message has now, in their order. */
export const buttonsOf = (message: SlackMessage | undefined): SeenButton[] =>
  (message?.blocks ?? []).flatMap((block) =>
    block.type === 'actions'
      ? block.elements.flatMap((element) =>
          element.type === 'button'
            ? [{ label: element.text.text, actionId: element.action_id ?? '', value: element.value ?? '' }]
            : [],
        )
      : [],
  );

/** Waits for the message of a thread that has a button with this label; the newest when there are several. */
export const messageWithButton = (
  slack: LocalSlack,
  channel: string,
  threadTs: string,
  label: string,
): Promise<SlackMessage> =>
  slack.waitFor(
    () =>
      slack
        .thread(channel, threadTs)
        .findLast((message) => buttonsOf(message).some((button) => button.label === label)),
    { timeoutMs: 60_000, what: `a button ${label}` },
  );

/** A message as it stands in its thread now; undefined when it was deleted. */
export const messageNow = (slack: LocalSlack, message: SlackMessage): SlackMessage | undefined =>
  slack.thread(message.channel, message.thread_ts ?? message.ts).find(({ ts }) => ts === message.ts);

/** Presses the button with this label, as that person sees the message now. */
export const pressButton = (slack: LocalSlack, who: string, message: SlackMessage, label: string) => {
  const button = buttonsOf(messageNow(slack, message)).find((each) => each.label === label);
  if (button === undefined) throw new Error(`there is no button ${label}`);
  return slack.user(who).press({ channel: message.channel, ts: message.ts }, button.actionId, button.value);
};
