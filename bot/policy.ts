import type { Impact } from '../playbooks/model/index.ts';

/** Somebody who asks, and where. */
export interface Asker {
  readonly team: string;
  readonly user: string;
  readonly channel: string;
}

/** Who may do what to which host. */
export interface Policy {
  /** The impacts that this person, in this channel, may have on this host without anybody's further yes. */
  readonly allowed: (who: Asker, host: string) => Promise<readonly Impact[]>;
}

/** The same for everybody and every host. */
export const onePolicy = ({ allow }: { readonly allow: readonly Impact[] }): Policy => ({ allowed: async () => allow });
