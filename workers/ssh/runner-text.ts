import path from 'node:path';
import { shellText, withoutComments } from '../../playbooks/shell-text.ts';

/** The runner without its comments and indentation: bash reads what comes through a pipe byte by byte. */
export const RUNNER = withoutComments(shellText(path.join(import.meta.dirname, 'runner.sh'))).replaceAll(/^\s+/gm, '');
