import { type Chosen, toolFollowUp } from './tool.shared.ts';

const MOST_NAME = 200;

/** The thread that was meant, by its id or by a name, which may have spaces in it. */
const thread = (words: readonly string[]): Chosen | string => {
  const name = words.join(' ');
  if (name.length > MOST_NAME) return `A thread's name has at most ${MOST_NAME} characters here.`;
  return name === '' ? { words: [] } : { words: [], options: { 'py-locals': { thread: name } } };
};

/** Local variables of Python threads, without stopping the process. */
export const locals = toolFollowUp({
  verb: 'locals',
  playbook: 'locals',
  usage: '[thread] [on HOST PID]',
  summary: 'the local variables of a Python thread (by id or name) or of all, without stopping the process',
  takes: { probe: 'py-locals', option: 'thread' },
  options: thread,
});
