/** A value and the line that holds it, counted from 1. */
export type Numbered = { readonly text: string; readonly at: number };

/** All values by label, in order. Lines look like `label: value`; the script lets no value hold a newline. */
export class Facts {
  readonly #values = new Map<string, Numbered[]>();
  readonly lines: readonly string[];

  constructor(text: string) {
    this.lines = text.split('\n');
    this.lines.forEach((line, index) => {
      const colon = line.indexOf(': ');
      if (colon < 0) return;
      const label = line.slice(0, colon);
      const value = { text: line.slice(colon + 2), at: index + 1 };
      const values = this.#values.get(label);
      if (values === undefined) this.#values.set(label, [value]);
      else values.push(value);
    });
  }

  first(label: string): Numbered | null {
    return this.#values.get(label)?.[0] ?? null;
  }

  all(label: string): readonly Numbered[] {
    return this.#values.get(label) ?? [];
  }

  /** Values of labels that are a word and something more: `child 12`, `tool gdb`, `argument 0`. */
  family(word: string): (Numbered & { readonly rest: string })[] {
    const found: (Numbered & { readonly rest: string })[] = [];
    for (const [label, values] of this.#values) {
      if (!label.startsWith(`${word} `)) continue;
      for (const value of values) found.push({ ...value, rest: label.slice(word.length + 1) });
    }
    return found.sort((one, other) => one.at - other.at);
  }
}
