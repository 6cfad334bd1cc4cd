import type { HomeView, ModalView } from '@slack/types';
import { WebAPIHTTPError, WebClient } from '@slack/web-api';
import type { Log } from '../../infra/log.ts';
import { SlackAway, sortingEnds } from './errors.ts';
import { pacing } from './pacing.ts';
import { quietLogger } from './quiet-logger.ts';
import { type Content, MARK_EVENT, type Mark, type Message, Page, Person } from './shapes.ts';
import type { Calling } from './watched.ts';

/** As much of Slack's Web API as the bot uses. Every call ends, in an answer, SlackRefused or SlackAway. */
export interface SlackApi {
  /** `url` is the workspace's own address with a slash at its end. */
  readonly whoAmI: () => Promise<{ teamId: string; userId: string; botId: string; url: string }>;
  /** Posts once; never tries again by itself, because it cannot know whether the first try was done. */
  readonly post: (
    place: { channel: string; threadTs?: string | undefined },
    content: Content,
    mark: Mark,
  ) => Promise<string>;
  /** Shows the same however often it is done. `busy` says what to do when Slack wants edits to slow down. */
  readonly edit: (
    place: { channel: string; ts: string; threadTs?: string | undefined },
    content: Content,
    mark: Mark,
    busy: 'wait' | 'skip',
  ) => Promise<void>;
  readonly ephemeral: (
    place: { channel: string; threadTs?: string | undefined; user: string },
    said: string | Content,
  ) => Promise<void>;
  readonly person: (user: string) => Promise<Person>;
  /** Ids of the members of a user group. Needs the scope usergroups:read. */
  readonly groupMembers: (group: string) => Promise<readonly string[]>;
  /**
   * Whether a channel is `closed` (for its members only; a direct conversation is), and whether it is `shared` with another
   * organization, or about to be (Slack Connect). Needs the scopes channels:read and groups:read.
   */
  readonly audience: (channel: string) => Promise<{ closed: boolean; shared: boolean }>;
  /** The private channels that a person is in and the bot is, too. Needs the scope groups:read. */
  readonly privateChannelsOf: (user: string) => Promise<readonly string[]>;
  /** Messages of a thread (`ts`) or of a channel, one page after the other; stops when `seen` says so. */
  readonly scan: (
    place: { channel: string; threadTs?: string | undefined; oldest?: string | undefined },
    seen: (message: Message) => boolean,
  ) => Promise<void>;
  /** One message as it stands now; null when it is not there (any more). */
  readonly message: (place: { channel: string; ts: string; threadTs?: string | undefined }) => Promise<Message | null>;
  /** Opens a modal for the person whose act gave this trigger, which works once and for three seconds. */
  readonly openView: (triggerId: string, view: ModalView, user: string) => Promise<void>;
  /** Shows a person their home tab. */
  readonly publish: (user: string, view: HomeView) => Promise<void>;
  /** Sends bytes; the file is not shown anywhere until `share`. Returns its id. */
  readonly upload: (name: string, content: Uint8Array) => Promise<string>;
  /** Shows uploaded files in one message of a thread. Like `post`, never tried again by itself. */
  readonly share: (
    place: { channel: string; threadTs: string },
    files: readonly { id: string; title: string }[],
    comment: string,
  ) => Promise<void>;
  /** Answers `user`, privately, what they asked by a slash command; false when the address no longer takes answers. */
  readonly respond: (url: string, said: string | Content, user: string) => Promise<boolean>;
}

export interface SlackApiOptions {
  readonly botToken: string;
  readonly apiUrl?: string | undefined;
  readonly log: Log;
  /** How long one request may take, ms. Default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** Runs each request, and sorts its end. */
  readonly calling?: Calling | undefined;
}

const PAGE = 200;
const MAX_PAGES = 20;

/** Options of every Web API client of ours: an end to each request, no retries and no waiting behind our back. */
export const clientOptions = (options: { apiUrl?: string | undefined; timeoutMs?: number | undefined }) => ({
  ...(options.apiUrl === undefined ? {} : { slackApiUrl: options.apiUrl }),
  timeout: options.timeoutMs ?? 10_000,
  retryConfig: { retries: 0 },
  rejectRateLimitedCalls: true,
});

/** Opens the client. Nothing is sent yet. */
export const slackApi = (options: SlackApiOptions): SlackApi => {
  const { log, timeoutMs = 10_000, calling = sortingEnds } = options;
  const web = new WebClient(options.botToken, { ...clientOptions(options), logger: quietLogger });
  const pace = pacing(log);

  /** One request, its end sorted into the three kinds. A 429 is waited out in `lane`, which others do not share. */
  const ask = <T>(method: string, lane: string, request: () => Promise<T>): Promise<T> =>
    pace.inLane(lane, () => calling(method, request));

  /** For requests that may be done twice: tried three times. */
  const askAgain = async <T>(method: string, lane: string, request: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await ask(method, lane, request);
      } catch (error) {
        if (!(error instanceof SlackAway) || attempt === 3) throw error;
        await new Promise((resolve) => setTimeout(resolve, 300 * 4 ** (attempt - 1)));
      }
    }
  };

  const metadata = (mark: Mark) => ({ event_type: MARK_EVENT, event_payload: withoutUndefined(mark) });

  return {
    whoAmI: async () => {
      const me = await askAgain('auth.test', 'auth.test', () => web.auth.test());
      return { teamId: me.team_id ?? '', userId: me.user_id ?? '', botId: me.bot_id ?? '', url: me.url ?? '' };
    },
    post: ({ channel, threadTs }, content, mark) =>
      pace.inOrder(channel, async () => {
        const posted = await ask('chat.postMessage', `post ${channel}`, () =>
          web.chat.postMessage({
            channel,
            ...(threadTs === undefined ? {} : { thread_ts: threadTs }),
            text: content.text,
            blocks: [...content.blocks],
            metadata: metadata(mark),
            unfurl_links: false,
            unfurl_media: false,
          }),
        );
        return posted.ts ?? '';
      }),
    edit: async ({ channel, ts }, content, mark, busy) => {
      if (busy === 'skip' && !pace.mayHurry('chat.update')) return;
      const edit = () =>
        web.chat.update({ channel, ts, text: content.text, blocks: [...content.blocks], metadata: metadata(mark) });
      if (busy === 'wait') await askAgain('chat.update', 'chat.update', edit);
      else await pace.orSkip('chat.update', () => calling('chat.update', edit));
    },
    ephemeral: async ({ channel, threadTs, user }, said) => {
      const place = { channel, user, ...(threadTs === undefined ? {} : { thread_ts: threadTs }) };
      await ask('chat.postEphemeral', `post ${channel}`, () =>
        web.chat.postEphemeral({ ...place, ...saidPrivately(said) }),
      );
    },
    person: async (user) =>
      Person.parse(
        (await askAgain('users.info', 'users.info', () => web.users.info({ user, include_locale: true }))).user,
      ),
    groupMembers: async (usergroup) => {
      const method = 'usergroups.users.list';
      return (await askAgain(method, method, () => web.usergroups.users.list({ usergroup }))).users ?? [];
    },
    audience: async (channel) => {
      if (channel.startsWith('D')) return { closed: true, shared: false };
      const method = 'conversations.info';
      const { channel: told } = await askAgain(method, method, () => web.conversations.info({ channel }));
      const shared = told?.is_ext_shared !== false || told.is_pending_ext_shared === true;
      return { closed: told?.is_private !== false, shared };
    },
    privateChannelsOf: async (user) => {
      const method = 'users.conversations';
      const ids: string[] = [];
      let cursor: string | undefined;
      for (let page = 0; page < MAX_PAGES; page += 1) {
        const wanted = { user, types: 'private_channel', limit: PAGE, ...withoutUndefined({ cursor }) };
        const { channels, response_metadata: more } = await askAgain(method, method, () =>
          web.users.conversations(wanted),
        );
        ids.push(...(channels ?? []).flatMap(({ id }) => (id === undefined ? [] : [id])));
        cursor = more?.next_cursor;
        if (cursor === undefined || cursor === '') break;
      }
      return ids;
    },
    scan: async ({ channel, threadTs, oldest }, seen) => {
      let cursor: string | undefined;
      for (let page = 0; page < MAX_PAGES; page += 1) {
        const range = { channel, limit: PAGE, include_all_metadata: true, ...withoutUndefined({ cursor, oldest }) };
        const method = threadTs === undefined ? 'conversations.history' : 'conversations.replies';
        const { messages, response_metadata } = Page.parse(
          await askAgain(method, method, () =>
            threadTs === undefined
              ? web.conversations.history(range)
              : web.conversations.replies({ ...range, ts: threadTs }),
          ),
        );
        if (messages.some(seen)) return;
        cursor = response_metadata?.next_cursor;
        if (cursor === undefined || cursor === '') return;
      }
    },
    message: async ({ channel, ts, threadTs }) => {
      const range = { channel, oldest: ts, latest: ts, inclusive: true, limit: 2, include_all_metadata: true };
      const inThread = threadTs !== undefined && threadTs !== ts;
      const { messages } = Page.parse(
        await (inThread
          ? askAgain('conversations.replies', 'conversations.replies', () =>
              web.conversations.replies({ ...range, ts: threadTs }),
            )
          : askAgain('conversations.history', 'conversations.history', () => web.conversations.history(range))),
      );
      return messages.find((message) => message.ts === ts) ?? null;
    },
    openView: async (triggerId, view) => {
      await ask('views.open', 'views.open', () => web.views.open({ trigger_id: triggerId, view }));
    },
    publish: async (user, view) => {
      await askAgain('views.publish', `home ${user}`, () => web.views.publish({ user_id: user, view }));
    },
    upload: async (name, content) => {
      const place = await askAgain('files.getUploadURLExternal', 'files', () =>
        web.files.getUploadURLExternal({ filename: name, length: content.byteLength }),
      );
      const { upload_url: url, file_id: id } = place;
      if (url === undefined || id === undefined) throw new SlackAway('files.getUploadURLExternal');
      await askAgain('upload', 'files', async () => {
        const answer = await fetch(url, {
          method: 'POST',
          body: content,
          headers: { 'content-type': 'application/octet-stream' },
          signal: AbortSignal.timeout(timeoutMs * 3),
        });
        await answer.arrayBuffer();
        if (!answer.ok) throw new WebAPIHTTPError(answer.status, answer.statusText, {});
      });
      return id;
    },
    share: ({ channel, threadTs }, files, comment) =>
      pace.inOrder(channel, async () => {
        const [first, ...rest] = files;
        if (first === undefined) return;
        await ask('files.completeUploadExternal', 'files', () =>
          web.files.completeUploadExternal({
            channel_id: channel,
            thread_ts: threadTs,
            files: [first, ...rest],
            initial_comment: comment,
          }),
        );
      }),
    respond: async (url, said) => {
      try {
        const answer = await fetch(url, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ response_type: 'ephemeral', ...saidPrivately(said) }),
          signal: AbortSignal.timeout(timeoutMs),
        });
        await answer.arrayBuffer();
        if (answer.status >= 500 || answer.status === 429) throw new Error(`status ${answer.status}`);
        return answer.ok;
      } catch (error) {
        throw new SlackAway('response_url', error);
      }
    },
  };
};

const saidPrivately = (said: string | Content) =>
  typeof said === 'string' ? { text: said } : { text: said.text, blocks: [...said.blocks] };

const withoutUndefined = <T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
