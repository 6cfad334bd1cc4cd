import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadCauses } from '../../../playbooks/registry.ts';
import { inLanguage, readPairs, shownInLanguage } from '../../../playbooks/words/index.ts';
import { fillIn, readPattern } from '../../../playbooks/words/pattern.ts';

const folder = new URL('../../../playbooks/words/zh/', import.meta.url);
const names = readdirSync(folder).map((file) => file.replace(/\.yaml$/, ''));
const isBot = (name: string): boolean => name.startsWith('bot-');
const causes = await loadCauses();

/** Something that fits into each place of a pattern and is no text of ours. */
const filling = (en: string): ReadonlyMap<string, string> =>
  new Map(
    readPattern(en).names.map((name, index) => [
      name,
      /^number\d*$/.test(name) ? String(index + 3) : /^word\d*$/.test(name) ? `futex${index}` : `X${index}`,
    ]),
  );

it('there are texts for every cause, for what they share and for the chat side, and no others', () => {
  expect(names.filter((name) => name !== 'shared' && !isBot(name)).sort()).toEqual([...causes.keys()].sort());
});

describe.each(names)('%s', (name) => {
  const pairs = readPairs(name);

  it('says each text once', () => {
    const texts = pairs.map(({ en }) => en);
    expect(texts.filter((text, index) => texts.indexOf(text) !== index)).toEqual([]);
  });

  it('fills in the same on both sides', () => {
    const placeholders = (text: string) => [...new Set(readPattern(text).names)].sort();
    for (const { en, zh } of pairs) expect(placeholders(zh), en).toEqual(placeholders(en));
  });

  it('has no text that another one hides', () => {
    const hidden = pairs.flatMap(({ en, zh }) => {
      const values = filling(en);
      const { literals, names: places } = readPattern(en);
      const text = literals.map((each, index) => `${each}${values.get(places[index] ?? '') ?? ''}`).join('');
      const said = isBot(name)
        ? shownInLanguage(text, 'zh')
        : inLanguage(text, 'zh', name === 'shared' ? undefined : name);
      const wanted = fillIn(readPattern(zh), values);
      return said === wanted ? [] : [{ en: text, said, wanted }];
    });
    expect(hidden).toEqual([]);
  });
});
