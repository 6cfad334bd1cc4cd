import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { type Cause, Impact, type Probe, UnitId } from './model/index.ts';
import { shellText, withoutComments } from './shell-text.ts';

/**
 * The directories are the registry: a file `x-y.ts` in `probes/` or `causes/` exports the one unit whose id is `x-y`.
 * Files with a second dot (`x-y.parse.ts`) are parts of a unit and are not loaded by themselves.
 */
const UNIT_FILE = /^([a-z][a-z0-9-]*)\.(?:ts|js)$/;

const anyFunction = z.custom<(...args: never[]) => unknown>((value) => typeof value === 'function');

const ProbeShape = z.object({
  id: UnitId,
  title: z.string().min(1),
  phase: z.number().int().min(1).max(6),
  impacts: z.array(Impact).min(1),
  ptraces: z.boolean(),
  needs: z.object({ privilege: z.enum(['none', 'ptrace', 'root']) }),
  limits: z.object({ seconds: anyFunction, bytes: z.number().int().positive(), endWith: z.enum(['TERM', 'KILL']) }),
  command: anyFunction,
  parse: anyFunction,
});

const CauseShape = z.object({
  id: UnitId,
  title: z.string().min(1),
  needs: z.array(z.object({ id: UnitId })),
  explains: z.array(UnitId),
  judge: anyFunction,
});

const loadUnits = async (folder: string, shape: z.ZodType): Promise<{ id: string; unit: object }[]> => {
  const names = (await readdir(folder)).filter((name) => UNIT_FILE.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      const id = UNIT_FILE.exec(name)?.[1] ?? '';
      const exported = Object.values((await import(pathToFileURL(path.join(folder, name)).href)) as object);
      const unit = exported.find((value): value is object => shape.safeParse(value).success && value.id === id);
      if (unit === undefined) throw new Error(`${path.join(folder, name)} exports no valid unit with the id ${id}`);
      return { id, unit };
    }),
  );
};

const here = import.meta.dirname;

/** Folder that holds the probes and the scripts that they carry to hosts. */
export const probesFolder = path.join(here, 'probes');
export const catalogFolder = path.join(here, 'catalog');

/** All probes by id. Throws when a file of the directory exports no probe of its name. */
export const loadProbes = async (): Promise<ReadonlyMap<string, Probe>> =>
  new Map((await loadUnits(probesFolder, ProbeShape)).map(({ id, unit }) => [id, unit as Probe]));

/** All causes by id. Throws when a file of the directory exports no cause of its name. */
export const loadCauses = async (): Promise<ReadonlyMap<string, Cause>> =>
  new Map((await loadUnits(path.join(here, 'causes'), CauseShape)).map(({ id, unit }) => [id, unit as Cause]));

const scripts = new Map<string, Promise<string>>();

const sentShell = async (file: string): Promise<string> => withoutComments(shellText(file));

/**
 * The text of a script that a probe carries. It is read once: every look carries the same ones, and hundreds of them at once
 * share one text. Throws when the probe names one that is not beside it.
 */
export const readProbeScript = (name: string): Promise<string> => {
  const known = scripts.get(name);
  if (known !== undefined) return known;
  const file = path.join(probesFolder, path.basename(name));
  const reading = name.endsWith('.sh') ? sentShell(file) : readFile(file, 'utf8');
  scripts.set(name, reading);
  // One that could not be read is tried again.
  reading.catch(() => scripts.delete(name));
  return reading;
};
