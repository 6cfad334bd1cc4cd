/** Where a bucket is and who we are to it. */
export interface S3Place {
  readonly bucket: string;
  readonly region: string;
  /** Undefined: Amazon's own of the region. */
  readonly endpoint: string | undefined;
  /** With a slash at the end. */
  readonly prefix: string;
  readonly forcePathStyle: boolean;
  /** PEM text. */
  readonly ca: string | undefined;
  /** Undefined: as the machine, container or pod has them. */
  readonly keys:
    | { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string }
    | undefined;
}

/** Evidence cannot be had. `message` is a sentence for a person. */
export class NoEvidence extends Error {}

/** The store that it is kept in cannot be used now. */
export class EvidenceUnavailable extends NoEvidence {
  constructor(why: string, cause?: unknown) {
    super(`The evidence cannot be read now: ${why}. Try again later.`, { cause });
    this.name = 'EvidenceUnavailable';
  }
}

/** The store gives something else than what was put into it. */
export class EvidenceChanged extends NoEvidence {
  constructor() {
    super('The evidence was changed in the store where it is kept, so it is not used.');
    this.name = 'EvidenceChanged';
  }
}

/** An object as a listing has it. */
export interface Listed {
  readonly name: string;
  /** When it was written, by the store's clock, ms since 1970. */
  readonly at: number;
}

/**
 * A store beside Redis that workers and bots reach. Names are ours (`newName`); each takes bounded time, tries again what may pass,
 * and throws EvidenceUnavailable. After a failure they fail at once for some seconds, so that nobody waits for it again and again.
 */
export interface FarStore {
  readonly put: (name: string, bytes: Uint8Array) => Promise<void>;
  /**
   * At most `most` + 1 bytes: whoever reads knows how many there are, and holds them against their sum. Null when there is no
   * such object.
   */
  readonly get: (name: string, most: number) => Promise<Uint8Array | null>;
  /** One that is not there is no trouble. */
  readonly remove: (name: string) => Promise<void>;
  /** The next objects of ours in the order of their names, after a name; other objects below the prefix are passed over. */
  readonly list: (after: string) => Promise<{ readonly objects: readonly Listed[]; readonly last: string | null }>;
  /** How it was when it was last used. */
  readonly state: () => { readonly ok: boolean; readonly why: string };
  /** Tries all that looks need of it with an object of its own, and says how it is. Never throws. */
  readonly probe: () => Promise<{ readonly ok: boolean; readonly why: string }>;
  readonly close: () => void;
}

/** The hour, so that a listing comes by age, and a random part. Nothing that a host or a person chose is in it. */
const NAME = /^\d{8}T\d{2}-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

export const isOurName = (name: string): boolean => NAME.test(name);

const hourOf = (at: number): string => new Date(at).toISOString().slice(0, 13).replaceAll('-', '');

/** A name for an object that is written at `at`, ms since 1970. */
export const newName = (at: number): string => `${hourOf(at)}-${crypto.randomUUID()}`;

/** Whether an object of this name may have been made before `at`, by its maker's clock, to the hour. */
export const namedBefore = (name: string, at: number): boolean => name.slice(0, 11) <= hourOf(at);
