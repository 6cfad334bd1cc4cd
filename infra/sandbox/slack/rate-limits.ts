import type { RateLimits } from './options.ts';

/** Requests a minute of the methods of each tier (docs.slack.dev, rate limits); posting has its own rule. */
const PER_MINUTE: Record<string, number> = {
  'apps.connections.open': 20,
  'auth.test': 100,
  'chat.delete': 50,
  'chat.postEphemeral': 100,
  'chat.update': 50,
  'conversations.history': 50,
  'conversations.info': 50,
  'conversations.open': 50,
  'conversations.replies': 50,
  'files.completeUploadExternal': 100,
  'files.getUploadURLExternal': 100,
  'files.info': 100,
  'reactions.add': 50,
  'team.info': 50,
  'usergroups.users.list': 20,
  'users.conversations': 50,
  'users.info': 100,
  'users.list': 20,
  'views.open': 100,
  'views.publish': 100,
  'views.push': 100,
  'views.update': 100,
};

interface Bucket {
  tokens: number;
  at: number;
}

export interface RateLimiter {
  /** Seconds to wait when this request comes too fast, otherwise undefined (and the request is counted). */
  refuse(method: string, args: Record<string, unknown>): number | undefined;
}

/** A token bucket for each method, and for each channel that is posted to. `now` is in ms. */
export function createRateLimiter(limits: RateLimits | false, now: () => number = Date.now): RateLimiter {
  const buckets = new Map<string, Bucket>();

  function take(name: string, perSecond: number, burst: number): number | undefined {
    const bucket = buckets.get(name) ?? { tokens: burst, at: now() };
    const at = now();
    bucket.tokens = Math.min(burst, bucket.tokens + ((at - bucket.at) / 1000) * perSecond);
    bucket.at = at;
    buckets.set(name, bucket);
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return undefined;
    }
    return Math.max(1, Math.ceil((1 - bucket.tokens) / perSecond));
  }

  return {
    refuse(method, args) {
      if (limits === false) return undefined;
      if (method === 'chat.postMessage') {
        return take(`${method} ${String(args.channel)}`, limits.postsPerSecond, limits.postBurst);
      }
      const perMinute = limits.tiers ? PER_MINUTE[method] : undefined;
      return perMinute === undefined ? undefined : take(method, perMinute / 60, perMinute);
    },
  };
}
