import { extname } from 'node:path';
import { z } from 'zod';
import type { Slack } from '../context.ts';
import { addMessage } from '../messages.ts';
import { botMessage, checkThread, contentOf, postableChannel } from '../posting.ts';
import { SlackError } from '../slack-error.ts';
import type { StoredFile } from '../state.ts';
import type { SlackFile } from '../types.ts';
import { FormJson, FormNumber, type Method, method } from './method.ts';

const MIME_TYPES: Record<string, string> = {
  '.json': 'application/json',
  '.csv': 'text/csv',
  '.html': 'text/html',
  '.md': 'text/markdown',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.svg': 'image/svg+xml',
  '.gz': 'application/gzip',
  '.zip': 'application/zip',
  '.yaml': 'text/yaml',
};
const TEXT_TYPES = ['.txt', '.log', '.text', '.out', '.py', '.sh', '.diff', '.strace'];

function mimeTypeOf(name: string): string {
  const extension = extname(name).toLowerCase();
  if (TEXT_TYPES.includes(extension)) return 'text/plain';
  return MIME_TYPES[extension] ?? 'application/octet-stream';
}

const getUploadUrl = method(
  'bot',
  z.object({
    filename: z.string().min(1).max(255),
    length: FormNumber.pipe(z.number().int().min(1)),
    alt_txt: z.string().max(1000).optional(),
    snippet_type: z.string().optional(),
  }),
  (slack, args) => {
    const id = slack.state.newId('F');
    const created = Math.floor(Date.now() / 1000);
    const file: SlackFile = {
      id,
      created,
      timestamp: created,
      name: args.filename,
      title: args.filename,
      mimetype: mimeTypeOf(args.filename),
      filetype: extname(args.filename).slice(1) || 'binary',
      size: args.length,
      user: slack.state.world.app.botUserId,
      url_private: `${slack.origin()}/files/${id}`,
      url_private_download: `${slack.origin()}/files/${id}?download=1`,
      permalink: `${slack.origin()}/files/${id}`,
      ...(args.alt_txt === undefined ? {} : { alt_txt: args.alt_txt }),
    };
    slack.state.files.set(id, { file, bytes: undefined, announced: args.length, complete: false });
    return { upload_url: `${slack.origin()}/upload/${id}`, file_id: id };
  },
);

/** Takes the bytes that were posted to an upload address. Returns a sentence when they are not what was announced. */
export function receiveUpload(slack: Slack, id: string, bytes: Buffer): string | undefined {
  const stored = slack.state.files.get(id);
  if (stored === undefined || stored.complete) return 'no such upload';
  if (bytes.length !== stored.announced) return `${bytes.length} bytes came, ${stored.announced} were announced`;
  stored.bytes = bytes;
  return undefined;
}

const completeUpload = method(
  'bot',
  z.object({
    files: FormJson.pipe(z.array(z.object({ id: z.string(), title: z.string().optional() })).min(1)),
    channel_id: z.string().optional(),
    channels: z.string().optional(),
    thread_ts: z.string().optional(),
    initial_comment: z.string().optional(),
    blocks: FormJson.optional(),
  }),
  (slack, args) => {
    const stored = args.files.map((wanted): StoredFile => {
      const found = slack.state.files.get(wanted.id);
      if (found === undefined || found.bytes === undefined || found.complete) throw new SlackError('file_not_found');
      if (wanted.title !== undefined) found.file.title = wanted.title;
      return found;
    });
    const where = args.channel_id ?? args.channels;
    if (where !== undefined) share(slack, stored, where, args);
    for (const each of stored) {
      each.complete = true;
      slack.state.changes.tell({ kind: 'file', file: each.file });
    }
    return { files: stored.map(({ file }) => file) };
  },
);

interface Sharing {
  thread_ts?: string | undefined;
  initial_comment?: string | undefined;
  blocks?: unknown;
}

function share(slack: Slack, stored: StoredFile[], where: string, args: Sharing): void {
  const channel = postableChannel(slack, where);
  checkThread(slack, channel.id, args.thread_ts);
  const wanted = args.initial_comment !== undefined || args.blocks !== undefined;
  const content = wanted ? contentOf({ text: args.initial_comment, blocks: args.blocks }) : { text: '' };
  const message = botMessage(slack, channel.id, content, args.thread_ts);
  message.subtype = 'file_share';
  message.files = stored.map(({ file }) => file);
  const entry = { ts: message.ts, ...(args.thread_ts === undefined ? {} : { thread_ts: args.thread_ts }) };
  for (const { file } of stored) file.shares = { public: { [channel.id]: [entry] } };
  addMessage(slack.state, message);
}

export const fileMethods: Record<string, Method> = {
  'files.getUploadURLExternal': getUploadUrl,
  'files.completeUploadExternal': completeUpload,
  'files.info': method('bot', z.object({ file: z.string() }), (slack, args) => {
    const stored = slack.state.files.get(args.file);
    if (stored === undefined || !stored.complete) throw new SlackError('file_not_found');
    return { file: stored.file };
  }),
};
