import type { ColumnType, Generated, JSONColumnType } from 'kysely';

/** Everything of ours is in this schema, so that a database may be shared with others. */
export const SCHEMA = 'straceback';

type Json = JSONColumnType<object, string, string>;
type NullableJson = ColumnType<object | null, string | null, string | null>;
type Time = ColumnType<Date, Date, Date>;

/** One investigation: who asked for what, and how it ended. */
export interface LookTable {
  id: string;
  host: string;
  pid: number;
  playbook: string;
  team: string;
  channel: string;
  thread_ts: string;
  user_id: string;
  via: string;
  requested_at: Time;
  kept_at: ColumnType<Date, Date | undefined, never>;
  /** fault, healthy, unclear, failed or cancelled. */
  state: string;
  /** Of the headline; null without one. */
  cause: string | null;
  confidence: number | null;
  headline: string;
  unit: string | null;
  service: string;
  request: Json;
  report: NullableJson;
  failure: NullableJson;
}

/** A finding of a look's report, with what makes it the same as another one. */
export interface FindingTable {
  look_id: string;
  position: number;
  cause: string;
  confidence: number;
  title: string;
  service: string;
  place: string;
}

/** A file of evidence, as it left the worker: secrets taken out. */
export interface EvidenceTable {
  look_id: string;
  position: number;
  evidence_id: string;
  name: string;
  /** Of the whole, before anything was cut. */
  bytes: number;
  truncated: boolean;
  /** SHA-256 of the content before compression; null when there is none. */
  sha256: string | null;
  /** gzip; null when the bytes were lost, or when their time is over. */
  content: Uint8Array | null;
  /** When it was written; what its time is counted from. */
  kept_at: ColumnType<Date, Date | undefined, never>;
}

/** Somebody said that a diagnosis was wrong. */
export interface FeedbackTable {
  id: string;
  look_id: string;
  channel: string;
  thread_ts: string;
  user_id: string;
  at: Time;
  cause: string;
  words: string | null;
}

/** Somebody said that a thread's matter is done with. */
export interface ResolutionTable {
  id: string;
  channel: string;
  thread_ts: string;
  user_id: string;
  at: Time;
  /** What helped, in their words. */
  note: string | null;
}

/** What a look after a fix showed. */
export interface VerificationTable {
  id: string;
  channel: string;
  thread_ts: string;
  before_id: string;
  after_id: string;
  at: Time;
  /** gone, still or unknown. */
  verdict: string;
  title: string;
}

/** A question for an approval, and what became of it. */
export interface ApprovalTable {
  id: string;
  look_id: string;
  at: Time;
  event: string;
  user_id: string;
  host: string;
  pid: number | null;
  playbook: string | null;
  outcome: string;
}

/** A line of an audit log, from whichever machine. */
export interface AuditTable {
  id: string;
  at: Time;
  event: string;
  machine: string;
  look_id: string | null;
  host: string | null;
  user_id: string | null;
  line: Json;
}

/** What is known of a channel: whether everybody of the workspace may see what is in it. */
export interface ChannelTable {
  id: string;
  private: boolean;
  checked_at: ColumnType<Date, Date | undefined, Date>;
}

export interface Tables {
  looks: LookTable;
  findings: FindingTable;
  evidence: EvidenceTable;
  feedback: FeedbackTable;
  resolutions: ResolutionTable;
  verifications: VerificationTable;
  approvals: ApprovalTable;
  audit: AuditTable;
  channels: ChannelTable;
  /** Kysely's own: which migrations were run. */
  kysely_migration: { name: Generated<string>; timestamp: string };
}
