import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { handleMethod, handleResponseUrl, handleUpload, sendFailure } from './api.ts';
import type { ChangeOf, WaitOptions } from './changes.ts';
import type { Secrets, Slack } from './context.ts';
import { createDelivery } from './delivery.ts';
import { sendEventsOfChanges } from './events.ts';
import { createFaults, type Faults } from './faults.ts';
import { sendText } from './http.ts';
import { createHttpTransport, verifyRequestUrl } from './http-transport.ts';
import { messagesIn, threadOf } from './messages.ts';
import { type LocalSlackOptions, settingsOf } from './options.ts';
import { servePage } from './page-server.ts';
import { createRateLimiter } from './rate-limits.ts';
import { createResponseUrls } from './response-urls.ts';
import { createSocketHub, type DisconnectReason } from './socket-hub.ts';
import { createState } from './state.ts';
import { createTriggers } from './triggers.ts';
import type { Change, ChangeKind, LoggedRequest, SlackFile, SlackMessage, SlackView } from './types.ts';
import { type SlackUser, slackUser } from './user/index.ts';
import { findChannel, findUser, type World } from './world.ts';

/** A running local Slack: its addresses and secrets, its content, its people, and its faults. */
export interface LocalSlack extends Secrets {
  /** For `clientOptions.slackApiUrl`. */
  readonly apiUrl: string;
  /** The page where a person looks and types. */
  readonly pageUrl: string;
  readonly world: World;
  /** The hands of a person, by id or name. */
  user(who: string): SlackUser;
  /** A channel's id, by its name. */
  channel(name: string): string;
  /** The messages of a channel (id or name), replies among them, oldest first. */
  messages(channel: string): SlackMessage[];
  /** The parent and the replies of a thread. */
  thread(channel: string, ts: string): SlackMessage[];
  /** What only this person sees, oldest first. */
  ephemerals(user: string): SlackMessage[];
  /** The files that were completed. */
  files(): SlackFile[];
  /** The bytes of a file. */
  fileBytes(id: string): Buffer | undefined;
  modal(user: string): SlackView | undefined;
  home(user: string): SlackView | undefined;
  /** Every request the app has made, oldest first; of one method when named. */
  requests(method?: string): LoggedRequest[];
  on<Kind extends ChangeKind>(kind: Kind, listener: (change: ChangeOf<Kind>) => void): () => void;
  /** Resolves with what `probe` finds, asked now and after every change. */
  waitFor<T>(probe: (change: Change | undefined) => T | undefined | false, options?: WaitOptions): Promise<T>;
  readonly faults: Faults;
  readonly sockets: {
    readonly open: number;
    drop(count?: number): number;
    disconnect(reason: DisconnectReason): void;
    loseAcks(count: number): void;
  };
  readonly events: {
    repeat(times: number, match?: (payload: Record<string, unknown>) => boolean): void;
    hold(): void;
    release(order?: 'as-sent' | 'reversed'): Promise<void>;
  };
  /** Sends everything to a request URL from now on (after Slack's challenge), or to the sockets again. */
  useRequestUrl(url: string | undefined): Promise<void>;
  close(): Promise<void>;
}

/** Starts a local Slack on 127.0.0.1. Throws when the port is taken. */
export async function startLocalSlack(options: LocalSlackOptions = {}): Promise<LocalSlack> {
  const settings = settingsOf(options);
  const state = createState();
  const secrets = newSecrets();
  const hub = createSocketHub(state.world.app.id, state.changes);
  const http = createHttpTransport(() => settings.requestUrl ?? '', secrets.signingSecret);
  let origin = '';
  const slack: Slack = {
    settings,
    state,
    secrets,
    hub,
    delivery: createDelivery(() => (settings.requestUrl === undefined ? hub : http), settings, state.changes),
    faults: createFaults(),
    limiter: createRateLimiter(settings.rateLimits),
    triggers: createTriggers(settings.triggerLifetimeMs),
    responseUrls: createResponseUrls(settings.responseUrlLifetimeMs),
    log: [],
    origin: () => origin,
  };
  const server = createServer((request, response) => {
    route(slack, request, response).catch((error: unknown) => sendFailure(response, error));
  });
  server.on('upgrade', (request, stream, head) => {
    stream.on('error', () => stream.destroy());
    hub.upgrade(request, stream, head, urlOf(request).searchParams.get('ticket'));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(settings.port, '127.0.0.1', resolve);
  });
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const endEvents = sendEventsOfChanges(slack);
  return present(slack, async () => {
    endEvents();
    slack.delivery.close();
    hub.close();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  });
}

function newSecrets(): Secrets {
  const hex = (bytes: number) => randomBytes(bytes).toString('hex');
  return {
    botToken: `xoxb-local-${hex(12)}`,
    appToken: `xapp-1-local-${hex(16)}`,
    signingSecret: hex(16),
    verificationToken: hex(12),
  };
}

function urlOf(request: IncomingMessage): URL {
  return new URL(request.url ?? '/', 'http://127.0.0.1');
}

async function route(slack: Slack, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = urlOf(request);
  const { pathname, searchParams } = url;
  const [first = '', second = ''] = pathname.slice(1).split('/');
  if (first === 'api') return handleMethod(slack, request, response, second, searchParams);
  if (first === 'upload' && request.method === 'POST') return handleUpload(slack, request, response, second);
  if (first === 'response' && request.method === 'POST') return handleResponseUrl(slack, request, response, second);
  if (!(await servePage(slack, request, response, url))) sendText(response, 404, 'Not found\n');
}

function present(slack: Slack, close: () => Promise<void>): LocalSlack {
  const { state, hub, delivery } = slack;
  const { world, changes } = state;
  return {
    ...slack.secrets,
    apiUrl: `${slack.origin()}/api/`,
    pageUrl: `${slack.origin()}/`,
    world,
    user: (who) => slackUser(slack, who),
    channel: (name) => findChannel(world, name).id,
    messages: (channel) => messagesIn(state, findChannel(world, channel).id),
    thread: (channel, ts) => threadOf(state, findChannel(world, channel).id, ts),
    ephemerals: (user) => {
      const { id } = findUser(world, user);
      return state.ephemerals.filter((message) => message.ephemeral_to === id);
    },
    files: () => [...state.files.values()].filter(({ complete }) => complete).map(({ file }) => file),
    fileBytes: (id) => state.files.get(id)?.bytes,
    modal: (user) => state.modals.get(findUser(world, user).id)?.at(-1),
    home: (user) => state.homes.get(findUser(world, user).id),
    requests: (method) => slack.log.filter((entry) => method === undefined || entry.method === method),
    on: changes.on,
    waitFor: changes.waitFor,
    faults: slack.faults,
    sockets: {
      get open() {
        return hub.open;
      },
      drop: hub.drop,
      disconnect: hub.disconnect,
      loseAcks: hub.loseAcks,
    },
    events: { repeat: delivery.repeatEvents, hold: delivery.hold, release: delivery.release },
    async useRequestUrl(url) {
      if (url !== undefined) await verifyRequestUrl(url, slack.secrets.signingSecret, slack.secrets.verificationToken);
      slack.settings.requestUrl = url;
    },
    close,
  };
}
