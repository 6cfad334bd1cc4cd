import { z } from 'zod';
import { problemsOf } from '../blocks/problems.ts';
import type { Slack } from '../context.ts';
import { SlackError } from '../slack-error.ts';

/** A method of the Web API: which token it takes and what it does. Throws SlackError to refuse. */
export interface Method {
  token: 'bot' | 'app' | 'either';
  run(slack: Slack, raw: Record<string, unknown>, token: 'bot' | 'app'): Record<string, unknown>;
}

/** Makes a method out of the schema of its arguments and its work; what does not fit is `invalid_arguments`. */
export function method<Schema extends z.ZodType>(
  token: Method['token'],
  schema: Schema,
  work: (slack: Slack, args: z.infer<Schema>, token: 'bot' | 'app') => Record<string, unknown>,
): Method {
  return {
    token,
    run(slack, raw, usedToken) {
      const parsed = schema.safeParse(raw, { reportInput: true });
      if (!parsed.success) throw new SlackError('invalid_arguments', problemsOf(parsed.error, ''));
      return work(slack, parsed.data, usedToken);
    },
  };
}

/** An argument that is JSON in a form and the value itself in a JSON body; text that is not JSON stays text. */
export const FormJson = z.unknown().transform((value) => {
  if (typeof value !== 'string') return value;
  try {
    const parsed: unknown = JSON.parse(value);
    return parsed;
  } catch {
    return value;
  }
});

export const FormBoolean = z
  .union([z.boolean(), z.enum(['true', 'false', '1', '0'])])
  .transform((value) => value === true || value === 'true' || value === '1');

export const FormNumber = z.coerce.number();
