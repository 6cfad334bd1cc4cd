import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import type { Slack } from './context.ts';
import { readBody, sendJson, sendText } from './http.ts';
import { messagesIn } from './messages.ts';
import { Act, perform } from './page-acts.ts';
import { FILE_HEADERS, PAGE_HEADERS, whyNotFromPage } from './page-guard.ts';
import type { Change } from './types.ts';
import { findUser, type WorldChannel, type WorldUser } from './world.ts';

const FOLDER = path.join(import.meta.dirname, 'page');
const ASSET = /^[a-z-]+\.(js|css|svg)$/;
const TYPES: Record<string, string> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};
const MAX_ACT_BYTES = 1024 * 1024;
/** What may wait for a page that does not read, bytes; beyond it the page is cut off and starts afresh. */
const MAX_UNREAD = 16 * 1024 * 1024;
const KEEP_ALIVE_MS = 15_000;

/** Answers a request of the page; false when the path is not the page's. */
export async function servePage(
  slack: Slack,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<boolean> {
  const [first = '', second = ''] = url.pathname.slice(1).split('/');
  if (!['', 'archives', 'page', 'page-api', 'files'].includes(first)) return false;
  const refusal = whyNotFromPage(request, Number(new URL(slack.origin()).port));
  if (refusal !== undefined) {
    sendJson(response, 403, { error: refusal });
  } else if (first === '' || first === 'archives') {
    await sendAsset(response, 'index.html', 'text/html; charset=utf-8');
  } else if (first === 'page' && ASSET.test(second)) {
    await sendAsset(response, second, TYPES[path.extname(second)] ?? 'text/plain');
  } else if (first === 'files') {
    sendFile(slack, response, second, url.searchParams.has('download'));
  } else if (first === 'page-api') {
    await servePageApi(slack, request, response, second, url.searchParams.get('user') ?? '');
  } else {
    sendText(response, 404, 'Not found\n');
  }
  return true;
}

async function sendAsset(response: ServerResponse, name: string, type: string): Promise<void> {
  try {
    const bytes = await readFile(path.join(FOLDER, name));
    response.writeHead(200, { ...PAGE_HEADERS, 'content-type': type, 'cache-control': 'no-cache' });
    response.end(bytes);
  } catch {
    sendText(response, 404, 'Not found\n');
  }
}

function sendFile(slack: Slack, response: ServerResponse, id: string, download: boolean): void {
  const stored = slack.state.files.get(id);
  if (stored?.bytes === undefined || !stored.complete) {
    sendText(response, 404, 'Not found\n');
    return;
  }
  const isText = /^(text\/(?!html)|application\/json)/.test(stored.file.mimetype);
  const name = encodeURIComponent(stored.file.name);
  response.writeHead(200, {
    ...FILE_HEADERS,
    'content-type': isText ? 'text/plain; charset=utf-8' : 'application/octet-stream',
    'content-disposition': `${download || !isText ? 'attachment' : 'inline'}; filename*=UTF-8''${name}`,
  });
  response.end(stored.bytes);
}

async function servePageApi(
  slack: Slack,
  request: IncomingMessage,
  response: ServerResponse,
  action: string,
  who: string,
): Promise<void> {
  try {
    if (action === 'act' && request.method === 'POST') {
      const body = await readBody(request, MAX_ACT_BYTES);
      sendJson(response, 200, await perform(slack, Act.parse(JSON.parse(body.toString('utf8')))));
    } else if (action === 'state' && request.method === 'GET') {
      sendJson(response, 200, snapshot(slack, findUser(slack.state.world, who)), { 'cache-control': 'no-store' });
    } else if (action === 'changes' && request.method === 'GET') {
      sendChanges(slack, response, findUser(slack.state.world, who));
    } else {
      sendJson(response, 404, { error: 'not found' });
    }
  } catch (error) {
    sendJson(response, 400, { error: error instanceof Error ? error.message : String(error) });
  }
}

function channelsOf(slack: Slack, user: WorldUser): WorldChannel[] {
  return slack.state.world.channels.filter((channel) => channel.members.includes(user.id));
}

function isConnected(slack: Slack): boolean {
  return slack.settings.requestUrl !== undefined || slack.hub.open > 0;
}

/** All that the page shows to this person. */
function snapshot(slack: Slack, user: WorldUser): Record<string, unknown> {
  const { world, modals, homes, ephemerals } = slack.state;
  const channels = channelsOf(slack, user);
  return {
    me: user.id,
    team: world.team,
    app: world.app,
    users: world.users,
    usergroups: world.usergroups,
    channels,
    commands: slack.settings.commands,
    messages: Object.fromEntries(channels.map(({ id }) => [id, messagesIn(slack.state, id)])),
    ephemerals: ephemerals.filter((message) => message.ephemeral_to === user.id),
    modal: modals.get(user.id)?.at(-1) ?? null,
    home: homes.get(user.id) ?? null,
    connected: isConnected(slack),
  };
}

/** The changes that this person may see, as Server-Sent Events, for as long as the page listens. */
function sendChanges(slack: Slack, response: ServerResponse, user: WorldUser): void {
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  response.write('retry: 500\n\n');
  const write = (event: unknown): void => {
    if (response.writableLength > MAX_UNREAD) response.destroy();
    else response.write(`data: ${JSON.stringify(event)}\n\n`);
  };
  const stop = slack.state.changes.onAny((change) => {
    const seen = seenBy(slack, user, change);
    if (seen !== undefined) write(seen);
  });
  const beat = setInterval(() => response.write(': still here\n\n'), KEEP_ALIVE_MS);
  beat.unref();
  response.on('close', () => {
    stop();
    clearInterval(beat);
  });
}

/** What a person's page is told of a change; nothing of what they could not see in Slack. */
function seenBy(slack: Slack, user: WorldUser, change: Change): Record<string, unknown> | undefined {
  switch (change.kind) {
    case 'message':
    case 'update':
    case 'delete':
    case 'decorated': {
      const channel = channelsOf(slack, user).find(({ id }) => id === change.message.channel);
      return channel === undefined ? undefined : { kind: change.kind, message: change.message, channel };
    }
    case 'ephemeral':
    case 'ephemeral-update':
    case 'ephemeral-delete':
      return change.message.ephemeral_to === user.id ? change : undefined;
    case 'view':
    case 'home':
      return change.user === user.id ? { kind: change.kind, view: change.view ?? null } : undefined;
    case 'sockets':
      return { kind: 'connection', connected: isConnected(slack) };
    default:
      return undefined;
  }
}
