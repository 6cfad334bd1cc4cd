import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import type { ModelProse } from '../../workers/prose/schema.ts';

/**
 * A server that speaks OpenAI's protocol as far as summaries and questions need it: `POST /v1/responses` and
 * `/v1/chat/completions`, with strict JSON schemas, function tools, usage, refusals, incomplete answers and the API's errors. It
 * checks requests as the service does.
 */

/** What was asked, whichever way. */
export interface ModelRequest {
  readonly api: 'responses' | 'chat';
  readonly model: string;
  readonly instructions: string;
  readonly input: string;
  readonly maxTokens: number | undefined;
  /** The names of the functions that it may call. */
  readonly tools: readonly string[];
}

/** How a request ends. */
export type ModelReply =
  | { readonly kind: 'prose'; readonly prose: ModelProse }
  /** Any text as the model's words. */
  | { readonly kind: 'text'; readonly text: string }
  /** Calls a function, which need not be one that was offered, with any text as its arguments. */
  | { readonly kind: 'call'; readonly name: string; readonly args: string }
  | { readonly kind: 'refusal'; readonly text: string }
  /** Cut off at the limit of tokens. */
  | { readonly kind: 'incomplete'; readonly text: string }
  | { readonly kind: 'error'; readonly status: number; readonly code: string }
  | { readonly kind: 'garbage'; readonly body: string }
  /** Never answers. */
  | { readonly kind: 'silence' }
  /** Sends bytes for ever. */
  | { readonly kind: 'endless' }
  /** Ends the connection in the middle of the answer. */
  | { readonly kind: 'hang-up' };

export interface ModelServer {
  /** For OPENAI_BASE_URL. */
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly requests: readonly ModelRequest[];
}

const API_KEY = 'sk-test-only-for-this-server';

const Schema = z.object({
  type: z.literal('object'),
  additionalProperties: z.literal(false),
  required: z.array(z.string()).min(1),
  properties: z.record(z.string(), z.unknown()),
});
/** Of a function's arguments: strict mode wants all properties required and no others. */
const Parameters = z
  .object({
    type: z.literal('object'),
    additionalProperties: z.literal(false),
    required: z.array(z.string()),
    properties: z.record(z.string(), z.unknown()),
  })
  .refine(({ required, properties }) => Object.keys(properties).every((name) => required.includes(name)));
const ToolFunction = {
  name: z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/),
  description: z.string(),
  parameters: Parameters,
  strict: z.literal(true),
};
const ResponsesBody = z.object({
  tools: z.array(z.object({ type: z.literal('function'), ...ToolFunction })).default([]),
  model: z.string(),
  instructions: z.string(),
  input: z.string(),
  max_output_tokens: z.number().optional(),
  store: z.literal(false),
  text: z.object({
    format: z.object({ type: z.literal('json_schema'), name: z.string(), strict: z.literal(true), schema: Schema }),
  }),
});
const ChatBody = z.object({
  tools: z.array(z.object({ type: z.literal('function'), function: z.object(ToolFunction) })).default([]),
  model: z.string(),
  messages: z.tuple([
    z.object({ role: z.literal('system'), content: z.string() }),
    z.object({ role: z.literal('user'), content: z.string() }),
  ]),
  max_completion_tokens: z.number().optional(),
  response_format: z.object({
    type: z.literal('json_schema'),
    json_schema: z.object({ name: z.string(), strict: z.literal(true), schema: Schema }),
  }),
});

const readRequest = (api: ModelRequest['api'], json: unknown): ModelRequest | string => {
  if (api === 'responses') {
    const body = ResponsesBody.safeParse(json);
    if (!body.success) return z.prettifyError(body.error);
    const { model, instructions, input, max_output_tokens: maxTokens } = body.data;
    return { api, model, instructions, input, maxTokens, tools: body.data.tools.map(({ name }) => name) };
  }
  const body = ChatBody.safeParse(json);
  if (!body.success) return z.prettifyError(body.error);
  const [system, user] = body.data.messages;
  return {
    api,
    model: body.data.model,
    instructions: system.content,
    input: user.content,
    maxTokens: body.data.max_completion_tokens,
    tools: body.data.tools.map((tool) => tool.function.name),
  };
};

/** About four characters a token, as for English. */
const tokens = (...texts: string[]): number => Math.ceil(texts.join('').length / 4);

const responsesAnswer = (request: ModelRequest, content: object, incomplete: boolean, said: string) => ({
  id: 'resp_1',
  object: 'response',
  created_at: 1_700_000_000,
  status: incomplete ? 'incomplete' : 'completed',
  incomplete_details: incomplete ? { reason: 'max_output_tokens' } : null,
  error: null,
  model: request.model,
  output: [
    {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      status: incomplete ? 'incomplete' : 'completed',
      content: [content],
    },
  ],
  usage: {
    input_tokens: tokens(request.instructions, request.input),
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: tokens(said),
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: tokens(request.instructions, request.input, said),
  },
});

const chatAnswer = (request: ModelRequest, message: object, finish: string, said: string) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1_700_000_000,
  model: request.model,
  choices: [{ index: 0, message: { role: 'assistant', ...message }, finish_reason: finish, logprobs: null }],
  usage: {
    prompt_tokens: tokens(request.instructions, request.input),
    completion_tokens: tokens(said),
    total_tokens: tokens(request.instructions, request.input, said),
  },
});

const answerOf = (request: ModelRequest, said: string, how: 'whole' | 'incomplete' | 'refusal'): object => {
  if (request.api === 'responses') {
    const content =
      how === 'refusal'
        ? { type: 'refusal', refusal: said }
        : { type: 'output_text', text: said, annotations: [], logprobs: [] };
    return responsesAnswer(request, content, how === 'incomplete', said);
  }
  const message = how === 'refusal' ? { content: null, refusal: said } : { content: said, refusal: null };
  return chatAnswer(request, message, how === 'incomplete' ? 'length' : 'stop', said);
};

const callOf = (request: ModelRequest, name: string, args: string): object => {
  if (request.api === 'chat') {
    const call = { id: 'call_1', type: 'function', function: { name, arguments: args } };
    return chatAnswer(request, { content: null, refusal: null, tool_calls: [call] }, 'tool_calls', args);
  }
  const answer = responsesAnswer(request, {}, false, args);
  const call = { id: 'fc_1', type: 'function_call', call_id: 'call_1', name, arguments: args, status: 'completed' };
  return { ...answer, output: [call] };
};

const sendJson = (response: ServerResponse, status: number, body: object): void => {
  response.writeHead(status, { 'content-type': 'application/json', 'x-request-id': 'req_1' });
  response.end(JSON.stringify(body));
};

const sendError = (response: ServerResponse, status: number, code: string, message = code): void =>
  sendJson(response, status, { error: { message, type: 'error', param: null, code } });

const reply = (response: ServerResponse, request: ModelRequest, chosen: ModelReply): void => {
  const headers = { 'content-type': 'application/json' };
  switch (chosen.kind) {
    case 'prose':
      sendJson(response, 200, answerOf(request, JSON.stringify(chosen.prose), 'whole'));
      break;
    case 'text':
      sendJson(response, 200, answerOf(request, chosen.text, 'whole'));
      break;
    case 'call':
      sendJson(response, 200, callOf(request, chosen.name, chosen.args));
      break;
    case 'incomplete':
    case 'refusal':
      sendJson(response, 200, answerOf(request, chosen.text, chosen.kind));
      break;
    case 'error':
      sendError(response, chosen.status, chosen.code);
      break;
    case 'garbage':
      response.writeHead(200, headers);
      response.end(chosen.body);
      break;
    case 'silence':
      break;
    case 'endless': {
      response.writeHead(200, headers);
      const more = () => {
        while (!response.destroyed && response.write(' '.repeat(65_536)));
      };
      response.on('drain', more);
      more();
      break;
    }
    case 'hang-up':
      response.writeHead(200, { ...headers, 'content-length': '1000' });
      response.write('{"id"');
      response.socket?.destroy();
      break;
  }
};

export interface ModelServerOptions {
  /** A server of the kind that has only chat completions. */
  readonly chatOnly?: boolean;
}

/** A server of this test's own, ended after it. `answer` decides how each request ends. */
export const modelServerForTest = async (
  answer: (request: ModelRequest) => ModelReply,
  { chatOnly = false }: ModelServerOptions = {},
): Promise<ModelServer> => {
  const requests: ModelRequest[] = [];
  const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const api =
      incoming.url === '/v1/responses' ? 'responses' : incoming.url === '/v1/chat/completions' ? 'chat' : null;
    if (api === null || (api === 'responses' && chatOnly)) return sendError(response, 404, 'unknown_url');
    if (incoming.method !== 'POST') return sendError(response, 405, 'method_not_supported');
    if (incoming.headers.authorization !== `Bearer ${API_KEY}`) return sendError(response, 401, 'invalid_api_key');
    const request = readRequest(api, JSON.parse(await text(incoming)));
    if (typeof request === 'string') return sendError(response, 400, 'invalid_request_error', request);
    requests.push(request);
    reply(response, request, answer(request));
  };
  const server = createServer((incoming, response) => void handle(incoming, response).catch(() => response.destroy()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  const { port } = server.address() as AddressInfo;
  return { baseUrl: `http://127.0.0.1:${port}/v1`, apiKey: API_KEY, requests };
};
