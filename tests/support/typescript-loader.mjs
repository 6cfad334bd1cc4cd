// Lets a child process run a .ts file of this repository with the Node versions that cannot by themselves:
// node --import ./tests/support/typescript-loader.mjs FILE.ts
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { register } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) register(import.meta.url);

/** Erased sources by the hash of their text: loading the compiler takes a child longer than all the rest. */
const cache = path.join(import.meta.dirname, '../../node_modules/.cache/straceback-typescript');

async function erase(text, fileName) {
  const kept = path.join(cache, `${createHash('sha256').update(text).digest('hex')}.js`);
  const known = await readFile(kept, 'utf8').catch(() => undefined);
  if (known !== undefined) return known;
  const { default: ts } = await import('typescript');
  const { outputText } = ts.transpileModule(text, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true },
    fileName,
  });
  await mkdir(cache, { recursive: true });
  // Several children may write the same file at once.
  const fresh = `${kept}.${process.pid}`;
  await writeFile(fresh, outputText);
  await rename(fresh, kept);
  return outputText;
}

/** Module hook (node:module, Customization Hooks): types are erased, nothing else changes. */
export async function load(url, context, nextLoad) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return nextLoad(url, context);
  const fileName = fileURLToPath(url);
  return { format: 'module', source: await erase(await readFile(fileName, 'utf8'), fileName), shortCircuit: true };
}
