/**
 * Every key is under this prefix. The braces are a Redis Cluster hash tag: all keys are in one slot, which the
 * scripts that touch several keys need.
 */
export const PREFIX = '{straceback}';

/** What people asked for and was acknowledged to Slack, but is not done yet. Bot to bot. */
export const INTAKE = 'intake';
/** Requests that wait for a worker. Bot to worker. */
export const LOOKS = 'looks';
/** Selectors that wait for a worker to say which processes they mean. Bot to worker. */
export const FINDS = 'finds';
/** Questions in people's own words that wait for a worker. Bot to worker. */
export const QUESTIONS = 'questions';
/** Answers that wait to be posted. Worker to bot. */
export const ANSWERS = 'answers';

/** All of them, in the order of a look. */
export const QUEUES = [INTAKE, LOOKS, FINDS, QUESTIONS, ANSWERS] as const;

/** A key of ours beside BullMQ's own. Parts are encoded, so that none can reach into another's name. */
export const key = (...parts: readonly (string | number)[]): string =>
  [PREFIX, 'own', ...parts.map((part) => encodeURIComponent(String(part)))].join(':');

/**
 * BullMQ's job id for a request: the same request is the same job. A bare number or a colon is refused by BullMQ,
 * therefore the word in front and the encoding.
 */
export const jobId = (kind: 'intake' | 'look' | 'answer' | 'find' | 'question', requestId: string): string =>
  `${kind}-${encodeURIComponent(requestId)}`;
