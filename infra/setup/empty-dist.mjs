// What an earlier build left in dist, and no longer is in the sources, must not go into a package or a host kit.
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

await rm(fileURLToPath(new URL('../../dist', import.meta.url)), { recursive: true, force: true });
