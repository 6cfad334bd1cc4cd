/**
 * `npm run evals`: has a model put recorded investigations of all causes into words, and scores what it writes without a
 * judge: are its claims covered, is the cause kept, is anything healthy called sick, is the fix told, how many tokens.
 * With OPENAI_API_KEY or OPENAI_BASE_URL, and OPENAI_MODEL, against that endpoint; else against a scribe that only repeats.
 * EVALS_LANGUAGE=zh asks for Chinese. Prints the page and writes it to the file given, if one is.
 */
import { writeFileSync } from 'node:fs';
import type { Report } from '../../playbooks/model/index.ts';
import { type AskModel, openModel } from '../../workers/prose/client.ts';
import { recordedNames, recordedReport } from '../support/recorded-reports.ts';
import { type Score, scoreOf, scoresText } from './score.ts';
import { scribe } from './scribe.ts';

/** Of each kind of recorded look at most so many. */
const MOST_OF_A_KIND = 3;

const HEAD = `# How well a model's words do

\`npm run evals -- docs/evals.md\`: recorded investigations of all causes, put into words and scored without a judge. With \`OPENAI_MODEL\` and \`OPENAI_API_KEY\` (or
\`OPENAI_BASE_URL\`) against that model.

`;

const chosen = (): { name: string; report: Report }[] => {
  const taken = new Map<string, number>();
  return recordedNames().flatMap((name) => {
    const kind = name.split('/')[0] ?? '';
    const before = taken.get(kind) ?? 0;
    if (before >= (kind === 'healthy' ? 10 : MOST_OF_A_KIND)) return [];
    taken.set(kind, before + 1);
    return [{ name, report: recordedReport(name) }];
  });
};

const scribeAsk: AskModel = async (instructions, input) => {
  const prose = scribe(input);
  const said = JSON.stringify(prose);
  const usage = { input: Math.ceil((instructions.length + input.length) / 4), output: Math.ceil(said.length / 4) };
  return { prose, said, usage };
};

const { OPENAI_API_KEY: apiKey, OPENAI_BASE_URL: baseUrl, OPENAI_MODEL: named, EVALS_LANGUAGE } = process.env;
const real = (apiKey !== undefined && apiKey !== '') || baseUrl !== undefined;
if (real && named === undefined) {
  process.stderr.write('OPENAI_MODEL is not set: name the model to ask.\n');
  process.exit(2);
}
const model = real ? (named ?? '') : 'scribe (says the rules’ sentences again)';
const ask = real
  ? openModel({ apiKey: apiKey ?? 'none', baseUrl, model, timeoutMs: 90_000, maxOutputTokens: 2_000 })
  : scribeAsk;
const language = EVALS_LANGUAGE === 'zh' ? 'zh' : 'en';

const scores: Score[] = [];
for (const { name, report } of chosen()) scores.push(await scoreOf(name, report, { ask, model, language }));
const page = scoresText(scores, model, language, new Date().toISOString().slice(0, 10));
process.stdout.write(page);
const file = process.argv[2];
if (file !== undefined) writeFileSync(file, `${HEAD}${page}`);
