import { readFileSync } from 'node:fs';
import path from 'node:path';

/** A line of a shell script that stands for a part, in a folder beside it. A shell that runs the script as a file reads it there. */
const PART = /^\. "\$\{0%\/\*\}\/([a-z-]+\/[a-z-]+\.sh)"\n/gm;

/**
 * The whole text of a shell script that is written in parts: each line `. "${0%/*}/FOLDER/NAME"` is replaced by the text of that
 * file. So hosts are sent one file, and one is looked at where it is installed. Throws when a file is not there.
 */
export const shellText = (file: string): string =>
  readFileSync(file, 'utf8').replace(PART, (_, part: string) =>
    readFileSync(path.join(path.dirname(file), part), 'utf8'),
  );

/** A script as it is sent: comments are for people. Only lines that are nothing else go. */
export const withoutComments = (script: string): string => script.replaceAll(/^[ \t]*#.*\n/gm, '');
