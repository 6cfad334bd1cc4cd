import type { z } from 'zod';

type Issue = z.core.$ZodIssue;

const KINDS: Record<string, string> = {
  string: 'string',
  number: 'number',
  int: 'number',
  boolean: 'boolean',
  array: 'array',
  object: 'object',
};

/**
 * What Slack says about a value that does not fit, one line for each fault: `no more than 50 items allowed
 * [json-pointer:/blocks]`. `root` is the pointer of the value that was parsed, such as `/blocks`.
 */
export function problemsOf(error: z.ZodError, root: string): string[] {
  return error.issues.flatMap((issue) => linesOf(issue, root));
}

function linesOf(issue: Issue, root: string): string[] {
  const at = (path: readonly PropertyKey[], text: string) => `${text} [json-pointer:${pointer(root, path)}]`;
  switch (issue.code) {
    case 'too_big':
      return [at(issue.path, tooBig(issue.origin, Number(issue.maximum)))];
    case 'too_small':
      return [at(issue.path, tooSmall(issue.origin, Number(issue.minimum)))];
    case 'unrecognized_keys':
      return issue.keys.map((key) => at(issue.path, `invalid additional property: ${key}`));
    case 'invalid_type':
      return [invalidType(issue, at)];
    case 'invalid_value':
      return [invalidValue(issue, at)];
    case 'invalid_union':
      return invalidUnion(issue, root, at);
    default:
      return [at(issue.path, issue.message)];
  }
}

type At = (path: readonly PropertyKey[], text: string) => string;

function tooBig(origin: string, maximum: number): string {
  if (origin === 'string') return `must be less than ${maximum + 1} characters`;
  if (origin === 'array') return `no more than ${maximum} items allowed`;
  return `must be no more than ${maximum}`;
}

function tooSmall(origin: string, minimum: number): string {
  if (origin === 'string') return `must be more than ${minimum - 1} characters`;
  if (origin === 'array') return `no less than ${minimum} items allowed`;
  return `must be no less than ${minimum}`;
}

function missing(path: readonly PropertyKey[], at: At): string {
  return at(path.slice(0, -1), `missing required field: ${String(path.at(-1))}`);
}

function invalidType(issue: Extract<Issue, { code: 'invalid_type' }>, at: At): string {
  if (issue.input === undefined) return missing(issue.path, at);
  return at(issue.path, `must provide a ${KINDS[issue.expected] ?? issue.expected}`);
}

function invalidValue(issue: Extract<Issue, { code: 'invalid_value' }>, at: At): string {
  if (issue.input === undefined) return missing(issue.path, at);
  if (issue.path.at(-1) === 'type') return at(issue.path, `unsupported type: ${short(issue.input)}`);
  return at(issue.path, `must be a valid enum value`);
}

function invalidUnion(issue: Extract<Issue, { code: 'invalid_union' }>, root: string, at: At): string[] {
  if (issue.errors.length === 0) {
    // No branch of a discriminated union bears this type.
    const type = typeOf(issue.input);
    if (type === undefined) return [at(issue.path, 'missing required field: type')];
    const path = issue.path.at(-1) === 'type' ? issue.path : [...issue.path, 'type'];
    return [at(path, `unsupported type: ${type}`)];
  }
  // The branch with the fewest faults is the one that was meant.
  const nearest = [...issue.errors].sort((a, b) => a.length - b.length)[0] ?? [];
  return [
    at(issue.path, 'failed to match all allowed schemas'),
    ...nearest.flatMap((inner) => linesOf({ ...inner, path: [...issue.path, ...inner.path] }, root)),
  ];
}

function typeOf(input: unknown): string | undefined {
  if (typeof input !== 'object' || input === null || !('type' in input)) return undefined;
  return short(input.type);
}

function short(value: unknown): string {
  return String(value).slice(0, 80);
}

function pointer(root: string, path: readonly PropertyKey[]): string {
  const steps = path.map((step) => String(step).replaceAll('~', '~0').replaceAll('/', '~1'));
  return [root, ...steps].join('/');
}
