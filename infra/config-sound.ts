import type { z } from 'zod';
import type { ConfigFault } from './config-faults.ts';
import { schemaFaults } from './config-hints.ts';

type Path = readonly PropertyKey[];

const isUnder = (path: Path, root: Path): boolean => root.every((step, index) => path[index] === step);

const childOf = (value: unknown, step: PropertyKey): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, step) ? Reflect.get(value, step) : undefined;

/** Indices as they were before elements of lists were taken out. */
class Taken {
  readonly #paths: Path[] = [];
  readonly #indices = new Map<string, number[]>();

  /** `path` as it is in the value now, told as it was at first. */
  original(path: Path): Path {
    const out: PropertyKey[] = [];
    for (const step of path) {
      if (typeof step !== 'number') {
        out.push(step);
        continue;
      }
      let index = step;
      for (const gone of this.#indices.get(JSON.stringify(out)) ?? []) if (gone <= index) index += 1;
      out.push(index);
    }
    return out;
  }

  /** Notes that what is at `path` now is taken out; `stray`: nothing can be missed there now. */
  note(path: Path, stray: boolean): void {
    const original = this.original(path);
    if (!stray) this.#paths.push(original);
    const last = original.at(-1);
    if (typeof last !== 'number') return;
    const list = JSON.stringify(original.slice(0, -1));
    this.#indices.set(
      list,
      [...(this.#indices.get(list) ?? []), last].sort((a, b) => a - b),
    );
  }

  /** Whether a fault at `path` may be there only because something was taken out. */
  explains(path: Path): boolean {
    return this.#paths.some((gone) => isUnder(gone, path.length > 1 ? path.slice(0, -1) : path));
  }
}

/** Takes what is at `path`, or where nothing is, what is around it, out of `value`. Returns its path. */
const takeOut = (value: unknown, path: Path): Path | null => {
  for (let length = path.length; length > 0; length -= 1) {
    const steps = path.slice(0, length);
    const last = steps.at(-1);
    const around = steps.slice(0, -1).reduce(childOf, value);
    if (last === undefined || childOf(around, last) === undefined) continue;
    if (Array.isArray(around) && typeof last === 'number') around.splice(last, 1);
    else if (typeof around === 'object' && around !== null) Reflect.deleteProperty(around, last);
    return steps;
  }
  return null;
};

/** Deep enough for any file that a person writes. */
const MOST_ROUNDS = 1_000;

/**
 * Everything that a schema has against a value, and what is left when that is taken out, so that the rest can be looked at, too.
 * `restored` tells a path in what is left as it is in the value; `explains` whether a fault there (by its restored path) may be there
 * only because something was taken out. The schema has to take `{}`.
 */
export const soundPart = <Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): {
  data: z.infer<Schema>;
  faults: ConfigFault[];
  restored: (path: Path) => Path;
  explains: (path: Path) => boolean;
} => {
  let left: unknown = structuredClone(value);
  const faults: ConfigFault[] = [];
  const taken = new Taken();
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const parsed = schema.safeParse(left);
    if (parsed.success) {
      const { data } = parsed;
      return { data, faults, restored: (path) => taken.original(path), explains: (path) => taken.explains(path) };
    }
    const found = schemaFaults(parsed.error, schema);
    for (const fault of found) {
      const path = taken.original(fault.path ?? []);
      if (round === 0 || !taken.explains(path)) faults.push({ ...fault, path });
    }
    // One after the other: what is taken out of a list moves the rest of it.
    const [first] = found;
    const out = first?.path === undefined ? null : takeOut(left, first.path);
    if (out === null) left = {};
    else taken.note(out, first?.stray === true);
  }
  return { data: schema.parse({}), faults, restored: (path) => path, explains: () => true };
};
