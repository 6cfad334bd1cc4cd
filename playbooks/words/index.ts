export { inLanguage, shownInLanguage, type Translated, translated } from './in-language.ts';
export { bookOf, Language, Pairs, readPairs } from './pairs.ts';
