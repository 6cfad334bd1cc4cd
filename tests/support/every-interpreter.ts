import { it } from 'vitest';
import { debianPythons as findDebianPythons } from './debian-roots.ts';
import { interpreters } from './py-stacks.ts';

const debian = await findDebianPythons();

/** The Pythons of other Debian releases. */
export const debianPythons = debian.pythons;

/** Programs that run a Python in a Debian root of its own: older and newer ones than this machine's. */
export const inDebianRoots = debian.pythons.map(({ python }) => python);

/** The interpreters of this machine, and those of other Debian releases, each in a root of its own. */
export const everyInterpreter = [...interpreters, ...inDebianRoots];

/** Registers a skipped test that says why some of them are missing; nothing when all are there. */
export const sayWhatIsMissing = (): void => {
  if (debian.why !== null) it.skip(debian.why);
};
