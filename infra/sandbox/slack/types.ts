import type { Block } from './blocks/index.ts';

/** A file as `files.info` shows it, without its bytes. */
export interface SlackFile {
  id: string;
  created: number;
  timestamp: number;
  name: string;
  title: string;
  mimetype: string;
  filetype: string;
  size: number;
  user: string;
  url_private: string;
  url_private_download: string;
  permalink: string;
  alt_txt?: string;
  shares?: { public?: Record<string, { ts: string; thread_ts?: string }[]> };
}

/** A message in Slack's own shape, with the channel it stands in. */
export interface SlackMessage {
  type: 'message';
  subtype?: string;
  channel: string;
  ts: string;
  user: string;
  team: string;
  text: string;
  blocks?: Block[];
  attachments?: unknown[];
  bot_id?: string;
  app_id?: string;
  bot_profile?: { id: string; app_id: string; name: string };
  client_msg_id?: string;
  thread_ts?: string;
  parent_user_id?: string;
  reply_count?: number;
  reply_users_count?: number;
  reply_users?: string[];
  latest_reply?: string;
  edited?: { user: string; ts: string };
  files?: SlackFile[];
  reactions?: { name: string; users: string[]; count: number }[];
  metadata?: unknown;
  /** Only on an ephemeral message: the one person who sees it. */
  ephemeral_to?: string;
}

/** A view as Slack keeps it: what the app gave, completed with ids, hash and state. */
export interface SlackView {
  id: string;
  team_id: string;
  app_id: string;
  bot_id: string;
  type: 'modal' | 'home';
  hash: string;
  callback_id: string;
  external_id: string;
  private_metadata: string;
  title: { type: 'plain_text'; text: string; emoji?: boolean } | null;
  submit: { type: 'plain_text'; text: string; emoji?: boolean } | null;
  close: { type: 'plain_text'; text: string; emoji?: boolean } | null;
  blocks: Block[];
  clear_on_close: boolean;
  notify_on_close: boolean;
  root_view_id: string;
  previous_view_id: string | null;
  state: { values: StateValues };
}

/** What a person has chosen or typed: block id, then action id. */
export type StateValues = Record<string, Record<string, StateValue>>;

export interface StateValue {
  type: string;
  value?: string | null;
  selected_option?: ChosenOption | null;
  selected_options?: ChosenOption[];
  selected_user?: string | null;
  selected_users?: string[];
  selected_channel?: string | null;
  selected_conversation?: string | null;
  selected_date?: string | null;
  selected_time?: string | null;
}

export interface ChosenOption {
  text: { type: string; text: string };
  value: string;
}

/** One change of the workspace, as the page and the tests are told of it. */
export type Change =
  | { kind: 'message'; message: SlackMessage }
  | { kind: 'update'; message: SlackMessage; previous: SlackMessage }
  | { kind: 'delete'; message: SlackMessage }
  | { kind: 'ephemeral'; message: SlackMessage }
  | { kind: 'ephemeral-update'; message: SlackMessage }
  | { kind: 'ephemeral-delete'; message: SlackMessage }
  | { kind: 'file'; file: SlackFile }
  | { kind: 'decorated'; message: SlackMessage }
  | { kind: 'view'; user: string; view: SlackView | undefined }
  | { kind: 'home'; user: string; view: SlackView }
  | { kind: 'request'; request: LoggedRequest }
  | { kind: 'sockets'; open: number }
  | { kind: 'delivered'; type: string; id: string; attempt: number; acked: boolean };

export type ChangeKind = Change['kind'];

/** One request to the Web API, an upload address or a response address. */
export interface LoggedRequest {
  /** The method's name; `upload` and `response_url` for the two addresses that are not methods. */
  method: string;
  args: Record<string, unknown>;
  /** Milliseconds since the epoch when the request had been read. */
  at: number;
  /** HTTP status; 0 when the connection was cut instead of answered. */
  status: number;
  /** What was answered; undefined when nothing was. */
  response: unknown;
  /** Whether the work was done: a request can be done and yet answered with 500. */
  effect: boolean;
  /** The fault that was told to strike this request. */
  fault?: string;
}
