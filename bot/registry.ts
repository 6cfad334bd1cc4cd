import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import type { Action } from './action.ts';
import type { AlertSource } from './alerts/source.ts';
import type { Command } from './command.ts';
import type { ErrandUnit } from './errand.ts';
import type { FollowUp } from './follow-up.ts';

/** A file `x.ts` exports the one unit whose verb is `x`. Files with a second dot belong to a unit or to all of them. */
const UNIT_FILE = /^([a-z][a-z0-9-]*)\.(?:ts|js)$/;

const name = z.string().regex(/^[a-z][a-z0-9-]*$/);
const run = z.custom<(...args: never[]) => unknown>((value) => typeof value === 'function');
const schema = z.custom<z.ZodType>((value) => value instanceof z.ZodType);

const Verb = z
  .object({ verb: name, usage: z.string(), summary: z.string().min(1).max(150), run })
  .transform(({ verb }) => verb);
const ActionUnit = z.object({ action: name, data: schema, run }).transform(({ action }) => action);
const Errand = z.object({ errand: name, data: schema, run }).transform(({ errand }) => errand);

const Source = z
  .object({ source: name, ways: z.record(name, z.object({ check: run })), schema, sameness: run, parse: run })
  .transform(({ source }) => source);

const loadFolder = async (name: string, shape: z.ZodType<string>): Promise<[string, object][]> => {
  const folder = path.join(import.meta.dirname, name);
  const files = (await readdir(folder).catch(() => [])).filter((file) => UNIT_FILE.test(file)).sort();
  return Promise.all(
    files.map(async (file): Promise<[string, object]> => {
      const verb = UNIT_FILE.exec(file)?.[1] ?? '';
      const exported: unknown[] = Object.values(await import(pathToFileURL(path.join(folder, file)).href));
      const unit = exported.find((value) => shape.safeParse(value).data === verb);
      if (typeof unit !== 'object' || unit === null) {
        throw new Error(`${path.join(folder, file)} exports no valid unit called ${verb}`);
      }
      return [verb, unit];
    }),
  );
};

/** The verbs of `/diagnose`. Throws when a file of the directory exports none of its name. */
export const loadCommands = async (): Promise<ReadonlyMap<string, Command>> =>
  // The shape has been checked; the parameters of a function cannot be.
  new Map((await loadFolder('commands', Verb)).map(([verb, unit]) => [verb, unit as Command]));

/** The thread commands. Throws when a file of the directory exports none of its name. */
export const loadFollowUps = async (): Promise<ReadonlyMap<string, FollowUp>> =>
  new Map((await loadFolder('followups', Verb)).map(([verb, unit]) => [verb, unit as FollowUp]));

/** What buttons do. Throws when a file of the directory exports none of its name. */
export const loadActions = async (): Promise<ReadonlyMap<string, Action>> =>
  new Map((await loadFolder('actions', ActionUnit)).map(([action, unit]) => [action, unit as Action]));

/** The errands. Throws when a file of the directory exports none of its name. */
export const loadErrands = async (): Promise<ReadonlyMap<string, ErrandUnit>> =>
  new Map((await loadFolder('errands', Errand)).map(([errand, unit]) => [errand, unit as ErrandUnit]));

/** Who may send alerts. Throws when a file of the directory exports none of its name. */
export const loadAlertSources = async (): Promise<ReadonlyMap<string, AlertSource>> =>
  new Map((await loadFolder('alerts/sources', Source)).map(([source, unit]) => [source, unit as AlertSource]));
