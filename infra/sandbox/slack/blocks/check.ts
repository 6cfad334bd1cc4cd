import { z } from 'zod';
import { type Block, MessageBlock } from './blocks.ts';
import { problemsOf } from './problems.ts';
import { HomeView, ModalView } from './views.ts';

/** A value that Slack would take, or the error code and the lines it would answer with. */
export type Verdict<T> = { ok: true; value: T } | { ok: false; error: string; problems: string[] };

const MAX_BLOCKS = 50;
const MAX_MARKDOWN = 12_000;
const MAX_TABLE_TEXT = 10_000;
/**
 * `chat.postMessage` also refuses blocks that are too long together, with `msg_blocks_too_long`. The figure is not
 * documented; Slack's people speak of 12,000 characters and a buffer for the blocks themselves (slackapi/bolt-js 2509), and
 * every measurement published there and in 2867 fits 13,200 characters with 50 counted for each block.
 */
const MAX_BLOCKS_TEXT = 13_200;
const TEXT_PER_BLOCK = 50;

const MessageBlocks = z.array(MessageBlock).max(MAX_BLOCKS);

/** Holds the `blocks` of a message against Slack's documented limits. `parsed` is the value after JSON. */
export function checkMessageBlocks(parsed: unknown): Verdict<Block[]> {
  if (!Array.isArray(parsed)) return { ok: false, error: 'invalid_blocks_format', problems: [] };
  const result = MessageBlocks.safeParse(parsed, { reportInput: true });
  if (!result.success) return refuse('invalid_blocks', problemsOf(result.error, '/blocks'));
  const blocks = result.data;
  const repeated = repeatedIds(blocks, '/blocks');
  if (repeated.length > 0) return refuse('invalid_blocks', repeated);
  const tables = blocks.filter((block) => block.type === 'table');
  if (tables.length > 1) return refuse('invalid_attachments', ['only_one_table_allowed']);
  if (textLength(tables) > MAX_TABLE_TEXT) {
    return refuse('invalid_blocks', [`table text must be less than ${MAX_TABLE_TEXT + 1} characters`]);
  }
  const markdown = blocks.filter((block) => block.type === 'markdown');
  if (textLength(markdown) > MAX_MARKDOWN) return refuse('msg_too_long', []);
  const others = blocks.filter((block) => block.type !== 'table');
  if (textLength(others) + TEXT_PER_BLOCK * others.length > MAX_BLOCKS_TEXT) return refuse('msg_blocks_too_long', []);
  return { ok: true, value: blocks };
}

/** Holds a modal against Slack's documented limits; `parsed` is the value of `view` after JSON. */
export function checkModalView(parsed: unknown): Verdict<ModalView> {
  return checkView(ModalView, parsed);
}

/** Holds a home tab against Slack's documented limits; `parsed` is the value of `view` after JSON. */
export function checkHomeView(parsed: unknown): Verdict<HomeView> {
  return checkView(HomeView, parsed);
}

function checkView<T extends { blocks: Block[] }>(schema: z.ZodType<T>, parsed: unknown): Verdict<T> {
  if (JSON.stringify(parsed ?? null).length > 250_000) return refuse('view_too_large', []);
  const result = schema.safeParse(parsed, { reportInput: true });
  if (!result.success) return refuse('invalid_arguments', problemsOf(result.error, '/view'));
  const repeated = repeatedIds(result.data.blocks, '/view/blocks');
  if (repeated.length > 0) return refuse('invalid_arguments', repeated);
  return { ok: true, value: result.data };
}

function refuse(error: string, problems: string[]): { ok: false; error: string; problems: string[] } {
  return { ok: false, error, problems };
}

/** Block ids must be unique in a message, action ids in a block. */
function repeatedIds(blocks: Block[], root: string): string[] {
  const problems: string[] = [];
  const blockIds = new Set<string>();
  blocks.forEach((block, index) => {
    if (block.block_id !== undefined) {
      if (blockIds.has(block.block_id)) {
        problems.push(`\`block_id\` ${block.block_id} already exists [json-pointer:${root}/${index}/block_id]`);
      }
      blockIds.add(block.block_id);
    }
    if (block.type !== 'actions') return;
    const actionIds = new Set<string>();
    block.elements.forEach((element, at) => {
      if (element.action_id === undefined) return;
      if (actionIds.has(element.action_id)) {
        const pointer = `${root}/${index}/elements/${at}/action_id`;
        problems.push(`\`action_id\` ${element.action_id} already exists [json-pointer:${pointer}]`);
      }
      actionIds.add(element.action_id);
    });
  });
  return problems;
}

/** The sum of all `text` strings in a tree of blocks. */
function textLength(tree: unknown): number {
  if (Array.isArray(tree)) return tree.reduce((sum: number, each) => sum + textLength(each), 0);
  if (typeof tree !== 'object' || tree === null) return 0;
  return Object.entries(tree).reduce((sum, [key, value]) => {
    return sum + (key === 'text' && typeof value === 'string' ? value.length : textLength(value));
  }, 0);
}
