import type { Log } from '../log.ts';
import { openOutboxes } from '../queue/outbox.ts';
import type { SiteRules } from '../redact/redactor.ts';
import { type History, openHistory } from './history.ts';
import type { HistoryConfig } from './settings.ts';
import type { ReadFile } from './write.ts';

/** Opens the history that a configuration asks for, with its outboxes; undefined when it asks for none. Close it before the queue. */
export const openKeptHistory = (options: {
  readonly config: { readonly history: HistoryConfig | undefined; readonly redaction?: SiteRules };
  readonly redisUrl: Parameters<typeof openOutboxes>[0];
  readonly queue: { readonly readFile: ReadFile };
  readonly log: Log;
}): History | undefined => {
  const { config, redisUrl, queue, log } = options;
  if (config.history === undefined) return undefined;
  const outboxes = openOutboxes(redisUrl, log);
  const history = openHistory({
    ...config.history,
    outboxes,
    readFile: queue.readFile,
    log,
    ...(config.redaction === undefined ? {} : { redaction: config.redaction }),
  });
  return {
    ...history,
    close: async () => {
      await history.close();
      await outboxes.close();
    },
  };
};
