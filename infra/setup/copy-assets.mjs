// Copies what the compiler leaves behind (playbooks, scripts carried to hosts, the sandbox's page and programs) into
// dist, at the same places, so that code finds them beside itself whether it runs from source or built.
import { cp, readdir } from 'node:fs/promises';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');
const ROOMS = ['bot', 'workers', 'playbooks', 'infra'];
const NOT_ASSETS = /\.(ts|mjs)$|__pycache__/;

for (const room of ROOMS) {
  for (const entry of await readdir(path.join(root, room), { recursive: true, withFileTypes: true })) {
    const from = path.join(entry.parentPath ?? entry.path, entry.name);
    if (!entry.isFile() || NOT_ASSETS.test(from)) continue;
    await cp(from, path.join(root, 'dist', path.relative(root, from)), { preserveTimestamps: true });
  }
}
