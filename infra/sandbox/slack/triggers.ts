import { randomBytes } from 'node:crypto';

/** What a `trigger_id` allows: to open a view for this person. */
export interface Trigger {
  user: string;
}

export interface Triggers {
  issue(trigger: Trigger): string;
  /** The trigger, which is used up by this, or Slack's error code. */
  redeem(id: string): Trigger | 'invalid_trigger_id' | 'expired_trigger_id' | 'exchanged_trigger_id';
}

/** Keeps trigger ids: each works once, for `lifetimeMs`. */
export function createTriggers(lifetimeMs: number): Triggers {
  const issued = new Map<string, { trigger: Trigger; at: number; used: boolean }>();
  return {
    issue(trigger) {
      const id = `${Date.now()}.${randomBytes(4).readUInt32BE()}.${randomBytes(16).toString('hex')}`;
      issued.set(id, { trigger, at: Date.now(), used: false });
      return id;
    },
    redeem(id) {
      const entry = issued.get(id);
      if (entry === undefined) return 'invalid_trigger_id';
      if (entry.used) return 'exchanged_trigger_id';
      if (Date.now() - entry.at > lifetimeMs) return 'expired_trigger_id';
      entry.used = true;
      return entry.trigger;
    },
  };
}
