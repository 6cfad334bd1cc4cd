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

/** The board with its password; `fault` is told why there is none. */
export const boardFrom = (
  settings: BoardSettings | undefined,
  password: string | undefined,
  fault: (message: string) => void,
): BoardConfig | undefined => {
  if (settings === undefined) return undefined;
  if (password === undefined || password.length < LEAST_PASSWORD) {
    fault(
      `STRACEBACK_BOARD_PASSWORD is not set or shorter than ${LEAST_PASSWORD} characters; set it, or take the board out`,
    );
    return undefined;
  }
  return { ...settings, password };
};
