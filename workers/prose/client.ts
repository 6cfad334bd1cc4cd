import OpenAI, { APIConnectionTimeoutError, APIError, APIUserAbortError } from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import type { z } from 'zod';
import { noTrace, type Trace } from '../../infra/tracing/trace.ts';
import { ModelProse } from './schema.ts';

/** How the model is reached. */
export interface ModelSettings {
  readonly apiKey: string;
  /** A server that speaks the same protocol; OpenAI's own when absent. */
  readonly baseUrl?: string | undefined;
  readonly model: string;
  /** The whole request, from the first byte sent to the last one read. */
  readonly timeoutMs: number;
  readonly maxOutputTokens: number;
  /** Told how each request ended and what it took. */
  readonly told?: ((outcome: 'answered' | 'failed', usage: Usage) => void) | undefined;
  /** Where requests show in traces; nowhere when absent. */
  readonly trace?: Trace | undefined;
}

/** Tokens of one request, as the server counts them. */
export interface Usage {
  readonly input: number;
  readonly output: number;
}

export const NO_USAGE: Usage = { input: 0, output: 0 };

/** The model gave nothing that can be used; `message` is a clause for a person: `the model’s server answers 429`. */
export class NoAnswer extends Error {
  readonly usage: Usage;
  /** What came all the same, for those who want to see it. */
  readonly said: string;
  constructor(why: string, options: { cause?: unknown; usage?: Usage; said?: string } = {}) {
    super(why, { cause: options.cause });
    this.name = 'NoAnswer';
    this.usage = options.usage ?? NO_USAGE;
    this.said = options.said ?? '';
  }
}

/** Something that the model may ask for instead of answering: a function, in the protocol's words. */
export interface ModelTool {
  readonly name: string;
  readonly description: string;
  /** A strict JSON schema: all properties required, no others. */
  readonly parameters: Record<string, unknown>;
}

/** What is asked for, once; nothing is kept on either side. */
export interface Wanted<T> {
  readonly instructions: string;
  readonly input: string;
  /** The form of the answer. */
  readonly form: { readonly name: string; readonly schema: z.ZodType<T> };
  readonly tools?: readonly ModelTool[];
}

/** What came: an answer in its form, or a call, whose name and arguments are the model's own and have not been checked. */
export type Answered<T> =
  | { readonly kind: 'said'; readonly value: T; readonly said: string; readonly usage: Usage }
  | {
      readonly kind: 'call';
      readonly name: string;
      readonly args: string;
      readonly said: string;
      readonly usage: Usage;
    };

/** Throws NoAnswer, always within the time limit. */
export type AskFor = <T>(wanted: Wanted<T>, signal: AbortSignal) => Promise<Answered<T>>;

export interface ModelAnswer {
  readonly prose: ModelProse;
  /** The text as it came. */
  readonly said: string;
  readonly usage: Usage;
}

/** Has a report put into words. Throws NoAnswer, always within the time limit. */
export type AskModel = (instructions: string, input: string, signal: AbortSignal) => Promise<ModelAnswer>;

/** Nothing that a server sends is larger than this; what is, is not read to its end. */
const MOST_BYTES = 1024 * 1024;
const MOST_SAID = 20_000;

/** Answers whose bodies end: one that streams without end is cut off, whatever its length says. */
const boundedFetch: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  if (response.body === null) return response;
  let read = 0;
  const counted = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        read += chunk.byteLength;
        if (read > MOST_BYTES) controller.error(new Error('the answer has no end'));
        else controller.enqueue(chunk);
      },
    }),
  );
  return new Response(counted, response);
};

const whyOf = (error: unknown, { timeoutMs }: ModelSettings, signal: AbortSignal): string => {
  if (signal.aborted && !(signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError'))
    return 'the look was ended';
  if (signal.aborted || error instanceof APIConnectionTimeoutError || error instanceof APIUserAbortError)
    return `the model’s server did not answer within ${Math.round(timeoutMs / 1000)} s`;
  if (error instanceof APIError && error.status !== undefined) {
    if (error.status === 401 || error.status === 403) return 'the model’s server refuses the key';
    if (error.status === 429) return 'the model’s server asks to slow down, or the quota is used up (429)';
    return `the model’s server answers ${error.status}`;
  }
  return 'the model’s server cannot be reached, or its answer cannot be read';
};

/** A server that has no Responses API says so in one of these ways. */
const lacksResponses = (error: unknown): boolean =>
  error instanceof APIError && (error.status === 404 || error.status === 405 || error.status === 501);

const parsed = <T>({ form }: Wanted<T>, said: string, usage: Usage): Answered<T> => {
  let json: unknown;
  try {
    json = JSON.parse(said);
  } catch (cause) {
    throw new NoAnswer('the model’s answer is no JSON', { cause, usage, said });
  }
  const value = form.schema.safeParse(json);
  if (!value.success) throw new NoAnswer('the model’s answer has not the form that was asked for', { usage, said });
  return { kind: 'said', value: value.data, said, usage };
};

const called = <T>(call: { name: string; arguments: string }, usage: Usage): Answered<T> => {
  const [name, args] = [call.name.slice(0, 100), call.arguments.slice(0, MOST_SAID)];
  return { kind: 'call', name, args, said: `${name}(${args})`, usage };
};

/** Opens the client. Nothing is sent yet. */
export const openClient = (settings: ModelSettings): AskFor => {
  const client = new OpenAI({
    apiKey: settings.apiKey,
    ...(settings.baseUrl === undefined ? {} : { baseURL: settings.baseUrl }),
    timeout: settings.timeoutMs,
    // The report stands already; a second try would make a reader wait for what may be missing.
    maxRetries: 0,
    logLevel: 'off',
    fetch: boundedFetch,
  });
  let responses = true;

  const byResponses = async <T>(wanted: Wanted<T>, signal: AbortSignal): Promise<Answered<T>> => {
    const tools = (wanted.tools ?? []).map((tool) => ({ type: 'function' as const, strict: true, ...tool }));
    const answer = await client.responses.create(
      {
        model: settings.model,
        instructions: wanted.instructions,
        input: wanted.input,
        text: { format: zodTextFormat(wanted.form.schema, wanted.form.name) },
        max_output_tokens: settings.maxOutputTokens,
        store: false,
        ...(tools.length === 0 ? {} : { tools, parallel_tool_calls: false }),
      },
      { signal },
    );
    const usage = { input: answer.usage?.input_tokens ?? 0, output: answer.usage?.output_tokens ?? 0 };
    const parts = answer.output.flatMap((item) => (item.type === 'message' ? item.content : []));
    const said = parts
      .map((part) => (part.type === 'output_text' ? part.text : ''))
      .join('')
      .slice(0, MOST_SAID);
    const refusal = parts.find((part) => part.type === 'refusal');
    if (refusal !== undefined)
      throw new NoAnswer('the model refused', { usage, said: refusal.refusal.slice(0, MOST_SAID) });
    if (answer.status === 'incomplete') throw new NoAnswer('the model’s answer was cut off', { usage, said });
    const call = answer.output.find((item) => item.type === 'function_call');
    return call === undefined ? parsed(wanted, said, usage) : called(call, usage);
  };

  const byChat = async <T>(wanted: Wanted<T>, signal: AbortSignal): Promise<Answered<T>> => {
    const { name, schema } = zodTextFormat(wanted.form.schema, wanted.form.name);
    const tools = (wanted.tools ?? []).map((tool) => ({
      type: 'function' as const,
      function: { ...tool, strict: true },
    }));
    const answer = await client.chat.completions.create(
      {
        model: settings.model,
        messages: [
          { role: 'system', content: wanted.instructions },
          { role: 'user', content: wanted.input },
        ],
        response_format: { type: 'json_schema', json_schema: { name, schema, strict: true } },
        max_completion_tokens: settings.maxOutputTokens,
        ...(tools.length === 0 ? {} : { tools, parallel_tool_calls: false }),
      },
      { signal },
    );
    const usage = { input: answer.usage?.prompt_tokens ?? 0, output: answer.usage?.completion_tokens ?? 0 };
    const choice = answer.choices[0];
    const said = (choice?.message.content ?? '').slice(0, MOST_SAID);
    if (choice?.message.refusal)
      throw new NoAnswer('the model refused', { usage, said: choice.message.refusal.slice(0, MOST_SAID) });
    if (choice?.finish_reason === 'length') throw new NoAnswer('the model’s answer was cut off', { usage, said });
    if (choice?.finish_reason === 'content_filter')
      throw new NoAnswer('the model’s server withheld the answer', { usage, said });
    const call = choice?.message.tool_calls?.find((each) => each.type === 'function');
    return call === undefined ? parsed(wanted, said, usage) : called(call.function, usage);
  };

  const asked: AskFor = async (wanted, outer) => {
    const signal = AbortSignal.any([outer, AbortSignal.timeout(settings.timeoutMs)]);
    try {
      if (responses) {
        try {
          return await byResponses(wanted, signal);
        } catch (error) {
          if (!lacksResponses(error)) throw error;
          responses = false;
        }
      }
      return await byChat(wanted, signal);
    } catch (error) {
      throw error instanceof NoAnswer ? error : new NoAnswer(whyOf(error, settings, signal), { cause: error });
    }
  };

  const { trace = noTrace, told = () => undefined } = settings;
  return (wanted, signal) =>
    trace.span('model request', { 'straceback.model.form': wanted.form.name }, async () => {
      try {
        const answer = await asked(wanted, signal);
        told('answered', answer.usage);
        return answer;
      } catch (error) {
        told('failed', error instanceof NoAnswer ? error.usage : { input: 0, output: 0 });
        throw error;
      }
    });
};

/** The client that has reports put into words. */
export const openModel = (settings: ModelSettings): AskModel => {
  const ask = openClient(settings);
  return async (instructions, input, signal) => {
    const form = { name: 'summary', schema: ModelProse };
    const answer = await ask({ instructions, input, form }, signal);
    const { said, usage } = answer;
    if (answer.kind === 'call') throw new NoAnswer('the model asked for what it was not offered', { usage, said });
    return { prose: answer.value, said, usage };
  };
};
