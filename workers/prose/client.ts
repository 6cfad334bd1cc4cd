import OpenAI, { APIConnectionTimeoutError, APIError, APIUserAbortError } from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
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

export interface ModelAnswer {
  readonly prose: ModelProse;
  /** The text as it came. */
  readonly said: string;
  readonly usage: Usage;
}

/** One question, one answer; nothing is kept on either side. */
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

const parsed = (said: string, usage: Usage): ModelAnswer => {
  let json: unknown;
  try {
    json = JSON.parse(said);
  } catch (cause) {
    throw new NoAnswer('the model’s answer is no JSON', { cause, usage, said });
  }
  const prose = ModelProse.safeParse(json);
  if (!prose.success) throw new NoAnswer('the model’s answer has not the form that was asked for', { usage, said });
  return { prose: prose.data, said, usage };
};

const FORMAT = zodTextFormat(ModelProse, 'summary');

/** Opens the client. Nothing is sent yet. `ask` throws NoAnswer, always within the time limit. */
export const openModel = (settings: ModelSettings): AskModel => {
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

  const byResponses = async (instructions: string, input: string, signal: AbortSignal): Promise<ModelAnswer> => {
    const answer = await client.responses.create(
      {
        model: settings.model,
        instructions,
        input,
        text: { format: FORMAT },
        max_output_tokens: settings.maxOutputTokens,
        store: false,
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
    return parsed(said, usage);
  };

  const byChat = async (instructions: string, input: string, signal: AbortSignal): Promise<ModelAnswer> => {
    const answer = await client.chat.completions.create(
      {
        model: settings.model,
        messages: [
          { role: 'system', content: instructions },
          { role: 'user', content: input },
        ],
        response_format: {
          type: 'json_schema',
          json_schema: { name: FORMAT.name, schema: FORMAT.schema, strict: true },
        },
        max_completion_tokens: settings.maxOutputTokens,
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
    return parsed(said, usage);
  };

  return async (instructions, input, outer) => {
    const signal = AbortSignal.any([outer, AbortSignal.timeout(settings.timeoutMs)]);
    try {
      if (responses) {
        try {
          return await byResponses(instructions, input, signal);
        } catch (error) {
          if (!lacksResponses(error)) throw error;
          responses = false;
        }
      }
      return await byChat(instructions, input, signal);
    } catch (error) {
      throw error instanceof NoAnswer ? error : new NoAnswer(whyOf(error, settings, signal), { cause: error });
    }
  };
};
