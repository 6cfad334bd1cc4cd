import { LogLevel } from '@slack/web-api';

/** Leaves a client's own words out: what matters is in its errors, and its debug log has message texts. */
export const quietLogger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  setLevel: () => undefined,
  getLevel: () => LogLevel.ERROR,
  setName: () => undefined,
};
