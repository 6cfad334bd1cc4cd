import type { ConfigFault } from '../config-faults.ts';
import type { ConfigFile } from '../config-file.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What a machine is set up for: a worker needs no tokens of Slack, and only `up` starts a Redis of its own. */
export type Side = 'bot' | 'worker' | 'up';

/** How a variable has to look. */
interface Form {
  readonly name: string;
  readonly form: RegExp;
  /** What it is, and where people find it. */
  readonly what: string;
}

const BOT_TOKEN: Form = {
  name: 'SLACK_BOT_TOKEN',
  form: /^xoxb-[A-Za-z0-9-]+$/,
  what: 'begins with xoxb-; it is on the app’s page “OAuth & Permissions” at api.slack.com/apps',
};
const APP_TOKEN: Form = {
  name: 'SLACK_APP_TOKEN',
  form: /^xapp-[A-Za-z0-9-]+$/,
  what: 'begins with xapp-; it is made with the scope connections:write on the app’s page “Basic Information”',
};
const SIGNING_SECRET: Form = {
  name: 'SLACK_SIGNING_SECRET',
  form: /^[0-9a-f]{32}$/,
  what: 'has 32 hexadecimal digits; it is on the app’s page “Basic Information”',
};

/** Variables that hold secrets of ours; what they hold is never shown. */
export const SECRET_VARIABLES = [
  'SLACK_BOT_TOKEN',
  'SLACK_APP_TOKEN',
  'SLACK_SIGNING_SECRET',
  'OPENAI_API_KEY',
  'DATABASE_URL',
  'REDIS_URL',
  'REDIS_PASSWORD',
  'REDIS_SENTINEL_PASSWORD',
  'STRACEBACK_BOARD_PASSWORD',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
] as const;

const WEB_ADDRESSES = [
  'SLACK_API_URL',
  'OPENAI_BASE_URL',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
];

const given = (env: Environment, name: string): string | undefined => (env[name] === '' ? undefined : env[name]);

/** What a value that is of the wrong form is instead, as far as its beginning tells; never the value. */
const instead = (value: string): string => {
  if (/^["'].*["']$/s.test(value)) return ' (it has quotes around it)';
  if (value.startsWith('xapp-')) return ' (this one begins with xapp-, as SLACK_APP_TOKEN does)';
  if (value.startsWith('xoxb-')) return ' (this one begins with xoxb-, as SLACK_BOT_TOKEN does)';
  return /^xox[a-z]-/.test(value) ? ' (this one is of another kind: xoxp-, xoxe- and the like do not do)' : '';
};

const badForm = (env: Environment, { name, form, what }: Form): ConfigFault[] => {
  const value = given(env, name);
  return value === undefined || value.trim() !== value || form.test(value)
    ? []
    : [{ message: `${name} ${what}${instead(value)}` }];
};

const missing = (env: Environment, { name, what }: Form): ConfigFault[] =>
  given(env, name) === undefined ? [{ message: `${name} is not set; it ${what}` }] : [];

const isWebAddress = (text: string): boolean => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);

/** What the environment lacks for this side, and what in it cannot be right. The form of REDIS_URL is told elsewhere. */
export const environmentFaults = (data: ConfigFile, env: Environment, side: Side): ConfigFault[] => {
  const wanted = side === 'worker' ? [] : [BOT_TOKEN, data.slack.mode === 'http' ? SIGNING_SECRET : APP_TOKEN];
  const edges = [...SECRET_VARIABLES, ...WEB_ADDRESSES].filter((name) => {
    const value = given(env, name);
    return value !== undefined && value.trim() !== value;
  });
  const addresses = WEB_ADDRESSES.filter((name) => {
    const value = given(env, name);
    return value !== undefined && !isWebAddress(value);
  });
  const database = given(env, 'DATABASE_URL');
  const noRedis = side !== 'up' && given(env, 'REDIS_URL') === undefined && data.redis.url === undefined;
  return [
    ...wanted.flatMap((each) => missing(env, each)),
    ...[BOT_TOKEN, APP_TOKEN, SIGNING_SECRET].flatMap((each) => badForm(env, each)),
    ...edges.map((name) => ({ message: `${name} begins or ends with a space or a line's end` })),
    ...addresses.map((name) => ({ message: `${name} is no address: http://HOST… or https://HOST…` })),
    ...(noRedis ? [{ message: 'REDIS_URL is not set: give the address of the Redis that bot and workers share' }] : []),
    ...(database !== undefined && /^postgres(?:ql)?:\/\/./.test(database) && !URL.canParse(database)
      ? [{ message: 'DATABASE_URL cannot be read; what is in its password has to be percent-encoded' }]
      : []),
  ];
};
