import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import type { Slack } from './context.ts';
import type { Fault } from './faults.ts';
import { BodyTooLarge, parseArguments, parseMultipart, readBody, sendJson, sendText } from './http.ts';
import { receiveUpload } from './methods/files.ts';
import { METHODS } from './methods/index.ts';
import { respondTo } from './response-urls.ts';
import { checkScope } from './scopes.ts';
import { SlackError } from './slack-error.ts';
import type { LoggedRequest } from './types.ts';

const MAX_LOG = 50_000;

/** An answer that is ready to be sent; JSON when it is an object. */
interface Reply {
  status: number;
  body: Record<string, unknown> | string;
  headers?: Record<string, string>;
}

/** Answers a request to the Web API. */
export async function handleMethod(
  slack: Slack,
  request: IncomingMessage,
  response: ServerResponse,
  name: string,
  query: URLSearchParams,
): Promise<void> {
  const body = await readBody(request, slack.settings.maxBodyBytes);
  let args: Record<string, unknown>;
  try {
    args = await parseArguments(body, request.headers['content-type'], query);
  } catch {
    const isJson = request.headers['content-type']?.startsWith('application/json') ?? false;
    sendJson(response, 200, { ok: false, error: isJson ? 'invalid_json' : 'invalid_form_data' });
    return;
  }
  const { token, ...rest } = args;
  const header = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const bearer = header ?? (typeof token === 'string' ? token : undefined);
  await answer(slack, response, name, rest, () => callMethod(slack, name, rest, bearer));
}

function callMethod(slack: Slack, name: string, args: Record<string, unknown>, token: string | undefined): Reply {
  try {
    const found = METHODS.get(name);
    if (found === undefined) return { status: 200, body: { ok: false, error: 'unknown_method', req_method: name } };
    const kind = tokenKind(slack, token);
    if (found.token !== 'either' && found.token !== kind) throw new SlackError('not_allowed_token_type');
    if (kind === 'bot') checkScope(slack, name, args);
    const wait = slack.limiter.refuse(name, args);
    if (wait !== undefined) return tooMany(wait);
    const body = { ok: true, ...found.run(slack, args, kind) };
    return { status: 200, body, headers: scopesHeader(slack, kind) };
  } catch (error) {
    if (error instanceof SlackError) return { status: 200, body: error.toResponse() };
    throw error;
  }
}

/** Slack says with each answer what the token may do. */
function scopesHeader(slack: Slack, kind: 'bot' | 'app'): Record<string, string> {
  return { 'x-oauth-scopes': kind === 'bot' ? slack.settings.scopes.join(',') : 'connections:write' };
}

function tokenKind(slack: Slack, token: string | undefined): 'bot' | 'app' {
  if (token === undefined || token === '') throw new SlackError('not_authed');
  if (token === slack.secrets.botToken) return 'bot';
  if (token === slack.secrets.appToken) return 'app';
  throw new SlackError('invalid_auth');
}

function tooMany(seconds: number): Reply {
  return { status: 429, body: { ok: false, error: 'ratelimited' }, headers: { 'retry-after': String(seconds) } };
}

/** Takes the bytes of a file at an upload address: the raw body, or the one file of a multipart form. */
export async function handleUpload(
  slack: Slack,
  request: IncomingMessage,
  response: ServerResponse,
  id: string,
): Promise<void> {
  const body = await readBody(request, slack.settings.maxBodyBytes);
  const type = request.headers['content-type'] ?? '';
  let bytes: Buffer | undefined = body;
  if (type.startsWith('multipart/form-data')) {
    const fields = await parseMultipart(body, type).catch(() => ({}));
    bytes = Object.values(fields).find((field): field is Buffer => Buffer.isBuffer(field));
  }
  await answer(slack, response, 'upload', { id, bytes: bytes?.length }, () => {
    const problem = bytes === undefined ? 'no file in the form' : receiveUpload(slack, id, bytes);
    return problem === undefined
      ? { status: 200, body: `OK - ${bytes?.length}` }
      : { status: 400, body: `FAIL - ${problem}` };
  });
}

/** Takes what an app posts to a response URL. */
export async function handleResponseUrl(
  slack: Slack,
  request: IncomingMessage,
  response: ServerResponse,
  id: string,
): Promise<void> {
  const body = await readBody(request, slack.settings.maxBodyBytes);
  const args = await parseArguments(body, 'application/json', new URLSearchParams()).catch(() => undefined);
  await answer(slack, response, 'response_url', args ?? {}, () => {
    if (args === undefined) return { status: 400, body: 'invalid_payload' };
    const target = slack.responseUrls.use(id);
    if (typeof target === 'string') return { status: 404, body: { ok: false, error: target } };
    try {
      respondTo(slack, target, args);
      return { status: 200, body: 'ok' };
    } catch (error) {
      return { status: 400, body: error instanceof SlackError ? error.code : 'invalid_payload' };
    }
  });
}

/** Lets a fault strike, does the work, sends the answer, and writes the log. */
async function answer(
  slack: Slack,
  response: ServerResponse,
  method: string,
  args: Record<string, unknown>,
  work: () => Reply,
): Promise<void> {
  const entry: LoggedRequest = { method, args, at: Date.now(), status: 0, response: undefined, effect: false };
  const fault = slack.faults.take(method, args);
  if (fault !== undefined) entry.fault = fault.kind;
  slack.log.push(entry);
  if (slack.log.length > MAX_LOG) slack.log.shift();
  if (fault?.kind === 'slow') await (fault.until ?? setTimeout(fault.delayMs ?? 1_000, undefined, { ref: false }));
  let reply = fault === undefined ? undefined : insteadOfWork(fault);
  if (reply === undefined) {
    reply = work();
    entry.effect = true;
    if (fault?.kind.startsWith('after-effect') === true) reply = insteadOfAnswer(fault);
  }
  if (reply !== 'drop' && reply !== 'silence') {
    entry.status = reply.status;
    entry.response = reply.body;
  }
  slack.state.changes.tell({ kind: 'request', request: entry });
  send(response, reply);
}

function insteadOfWork(fault: Fault): Reply | 'drop' | 'silence' | undefined {
  switch (fault.kind) {
    case '429':
      return tooMany(fault.retryAfter ?? 1);
    case '500':
      return { status: fault.status ?? 500, body: 'Internal Server Error' };
    case 'error':
      return { status: 200, body: { ok: false, error: fault.error ?? 'internal_error' } };
    case 'drop':
      return 'drop';
    case 'timeout':
      return 'silence';
    default:
      return undefined;
  }
}

function insteadOfAnswer(fault: Fault): Reply | 'drop' | 'silence' {
  if (fault.kind === 'after-effect-drop') return 'drop';
  if (fault.kind === 'after-effect-timeout') return 'silence';
  return { status: fault.status ?? 500, body: 'Internal Server Error' };
}

function send(response: ServerResponse, reply: Reply | 'drop' | 'silence'): void {
  // Silence keeps the connection open: it is for the client to give up.
  if (reply === 'silence') return;
  if (reply === 'drop') {
    response.destroy();
    return;
  }
  if (typeof reply.body === 'string') sendText(response, reply.status, reply.body);
  else sendJson(response, reply.status, reply.body, reply.headers);
}

/** The answer to a request that could not even be read. */
export function sendFailure(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  sendJson(response, error instanceof BodyTooLarge ? 413 : 500, { ok: false, error: 'internal_error' });
}
