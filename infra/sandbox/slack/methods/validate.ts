import { z } from 'zod';
import { checkHomeView, checkMessageBlocks, checkModalView, type Verdict } from '../blocks/index.ts';
import { SlackError } from '../slack-error.ts';
import { FormJson, type Method, method } from './method.ts';

const POINTER = / \[json-pointer:([^\]]*)\]$/;

/** One fault as `blocks.validate` tells it. `root` is what stands before the pointers of the checks and not in Slack's. */
function validationError(problem: string, root: string): Record<string, unknown> {
  const at = POINTER.exec(problem)?.[1] ?? root;
  const message = problem.replace(POINTER, '');
  const got = /^unsupported type: (.*)$/s.exec(message)?.[1];
  return {
    pointer: at.startsWith(root) ? at.slice(root.length) : at,
    code: 'failed_constraint',
    message,
    ...(got === undefined ? {} : { constraint: { type: 'enum', got } }),
  };
}

function refuseUnless(verdict: Verdict<unknown>, error: string, root: string): Record<string, unknown> {
  if (verdict.ok) return {};
  const problems = verdict.problems.length > 0 ? verdict.problems : [verdict.error];
  throw new SlackError(error, [], { errors: problems.map((problem) => validationError(problem, root)) });
}

const blocksOf = (message: unknown): unknown =>
  typeof message === 'object' && message !== null && 'blocks' in message ? message.blocks : undefined;

const isHome = (view: unknown): boolean =>
  typeof view === 'object' && view !== null && 'type' in view && view.type === 'home';

/** Pointers start at what was given: `/0/text` in blocks, `/blocks/0/text` in a message or a view. */
export const validateMethods: Record<string, Method> = {
  'blocks.validate': method(
    'either',
    z.object({ blocks: FormJson.optional(), message: FormJson.optional(), view: FormJson.optional() }),
    (_slack, { blocks, message, view }) => {
      const given = [blocks, message, view].filter((each) => each !== undefined);
      if (given.length !== 1)
        throw new SlackError('invalid_arguments', ['provide exactly one of blocks, message or view']);
      if (blocks !== undefined) return refuseUnless(checkMessageBlocks(blocks), 'invalid_blocks', '/blocks');
      if (message !== undefined) return refuseUnless(checkMessageBlocks(blocksOf(message)), 'invalid_message', '');
      return refuseUnless(isHome(view) ? checkHomeView(view) : checkModalView(view), 'invalid_view', '/view');
    },
  ),
};
