import { z } from 'zod';

/** A port of this machine that only those shall reach who look after the program. */
const Port = {
  port: z.number().int().min(0).max(65_535),
  address: z.string().min(1).default('127.0.0.1'),
};

/** Where /healthz, /readyz and /metrics are; nowhere without it. */
export const HealthSettings = z.strictObject(Port);
export type HealthSettings = z.infer<typeof HealthSettings>;

/** Where the queues can be looked at, by whom; the password is STRACEBACK_BOARD_PASSWORD. Nowhere without it. */
export const BoardSettings = z.strictObject({ ...Port, user: z.string().min(1).max(100).default('straceback') });
export type BoardSettings = z.infer<typeof BoardSettings>;

/** The board's settings together with its password. */
export type BoardConfig = BoardSettings & { readonly password: string };

/** Shorter ones are guessed. */
const LEAST_PASSWORD = 12;

/** Fewer different characters than this are a pattern. */
const LEAST_DIFFERENT = 5;

/** Why a password is none, as a clause; null for one that will do. */
const weaknessOf = (password: string | undefined, user: string): string | null => {
  if (password === undefined || password.length < LEAST_PASSWORD)
    return `is not set or shorter than ${LEAST_PASSWORD} characters`;
  if (password !== password.trim() || /\p{Cc}/u.test(password))
    return 'begins or ends with white space, or holds a control character (the end of a line in a file?), which nobody can type';
  if (new Set(password).size < LEAST_DIFFERENT) return `has fewer than ${LEAST_DIFFERENT} different characters`;
  return password.toLowerCase().includes(user.toLowerCase()) && password.length < LEAST_PASSWORD + user.length
    ? 'is little more than the name of the user'
    : null;
};

/** The board with its password; `fault` is told why there is none. */
export const boardFrom = (
  settings: BoardSettings | undefined,
  password: string | undefined,
  fault: (message: string) => void,
): BoardConfig | undefined => {
  if (settings === undefined) return undefined;
  const weak = weaknessOf(password, settings.user);
  if (weak !== null) {
    fault(`STRACEBACK_BOARD_PASSWORD ${weak}; set a better one, or take the board out`);
    return undefined;
  }
  return { ...settings, password: password ?? '' };
};
