import type { RichTextElement } from '@slack/types';
import { type Language, shownInLanguage } from '../../playbooks/words/index.ts';
import type { Content } from './shapes.ts';

/** Signs, bars and marks before the first word. */
const BEFORE_WORDS = /^[^\p{L}\p{N}`"“(*<]+/u;
/** Between things that stand in one line of small print. */
const DOT = ' · ';

/** A piece of ours as it is shown. What is no text of ours, and what has no translation, stays as it is. Pure. */
export const textInLanguage = (text: string, language: Language): string =>
  language === 'en'
    ? text
    : text
        .split(DOT)
        .map((piece) => {
          const sign = BEFORE_WORDS.exec(piece)?.[0] ?? '';
          return sign + shownInLanguage(piece.slice(sign.length), language);
        })
        .join(DOT);

/** Stands for an element that is no text; private use, so that no text of a host has it after `visible`. */
const OPAQUE = '\ue000';
const OPAQUE_NUMBER = new RegExp(`^${OPAQUE}(\\d+)${OPAQUE}$`);

const isPlain = (element: RichTextElement): boolean =>
  element.type === 'text' && (element.style === undefined || Object.keys(element.style).length === 0);

const isCode = (element: RichTextElement): boolean => element.type === 'text' && element.style?.code === true;

/** Pieces of a sentence with persons, times and code among them, translated as one text and taken apart again. */
const runInLanguage = (run: readonly RichTextElement[], language: Language): RichTextElement[] => {
  const text = run
    .map((element, index) => {
      if (element.type === 'text' && (isPlain(element) || !element.text.includes('`')))
        return isCode(element) ? `\`${element.text}\`` : element.text;
      return `\`${OPAQUE}${index}${OPAQUE}\``;
    })
    .join('');
  const said = textInLanguage(text, language);
  if (said === text) return [...run];
  return said.split('`').flatMap((piece, index): RichTextElement[] => {
    if (piece === '') return [];
    if (index % 2 === 0) return [{ type: 'text', text: piece }];
    const opaque = OPAQUE_NUMBER.exec(piece)?.[1];
    const element = opaque === undefined ? undefined : run[Number(opaque)];
    return [element ?? { type: 'text', text: piece, style: { code: true } }];
  });
};

const isWord = (element: RichTextElement): boolean => element.type === 'text';

/** The elements of a section: what is bold is a text of its own, and so is what follows those who are named first. */
const sectionInLanguage = (elements: readonly RichTextElement[], language: Language): RichTextElement[] => {
  const said: RichTextElement[] = [];
  let run: RichTextElement[] = [];
  const end = () => {
    // A backtick in a plain text opens nothing: then each text is one of its own.
    const apart = run.some((each) => isPlain(each) && each.type === 'text' && each.text.includes('`'));
    if (apart) said.push(...run.flatMap((each) => (isPlain(each) ? runInLanguage([each], language) : [each])));
    else said.push(...runInLanguage(run, language));
    run = [];
  };
  for (const element of elements) {
    const styled = element.type === 'text' && !isPlain(element) && !isCode(element);
    if (styled || (run.length === 0 && !isWord(element))) {
      end();
      const text = element.type === 'text' ? { ...element, text: textInLanguage(element.text, language) } : element;
      said.push(text);
    } else run.push(element);
  }
  end();
  return said;
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Blocks and what is in them. Literal lines in boxes and all ids stay. */
const treeInLanguage = (tree: unknown, language: Language): unknown => {
  if (Array.isArray(tree)) return tree.map((each) => treeInLanguage(each, language));
  if (!isObject(tree) || tree.type === 'rich_text_preformatted') return tree;
  if ((tree.type === 'plain_text' || tree.type === 'mrkdwn') && typeof tree.text === 'string')
    return { ...tree, text: textInLanguage(tree.text, language) };
  if (tree.type === 'rich_text_section' && Array.isArray(tree.elements))
    return { ...tree, elements: sectionInLanguage(tree.elements, language) };
  return Object.fromEntries(
    Object.entries(tree).map(([name, value]) => [
      name,
      name === 'accessibility_label' && typeof value === 'string'
        ? textInLanguage(value, language)
        : treeInLanguage(value, language),
    ]),
  );
};

/** A message, modal or home tab with all of our own words in a language. What is in it already stays. Pure. */
export const inReadersLanguage = <Shown extends object>(shown: Shown, language: Language): Shown =>
  // Only texts are replaced by texts, so that the shape is the same.
  language === 'en' ? shown : (treeInLanguage(shown, language) as Shown);

/** A message's content in a language, with the line that notifications show. Pure. */
export const contentInLanguage = (content: Content, language: Language): Content =>
  language === 'en'
    ? content
    : { text: textInLanguage(content.text, language), blocks: inReadersLanguage(content.blocks, language) };
