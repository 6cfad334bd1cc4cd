import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { hostKit } from './kit.ts';

export const HOST_KIT_USAGE =
  'straceback host-kit FOLDER            writes what is installed on a host with an account for looks alone (docs/hosts.md)';

const EXECUTABLE = new Set(['install.sh', 'runner', 'login']);

/** Writes the kit into a new or empty folder and returns its version. Throws Error when something else is in it. */
export const writeHostKit = async (folder: string): Promise<string> => {
  const { version, files } = await hostKit();
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length > 0) throw new Error(`${folder} is not empty; name a new folder.`);
  await mkdir(path.join(folder, 'scripts'));
  for (const [name, text] of files)
    await writeFile(path.join(folder, name), text, { mode: EXECUTABLE.has(name) ? 0o755 : 0o644 });
  return version;
};
