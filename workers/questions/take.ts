import type { ModelConfig } from '../../infra/config.ts';
import { NoEvidence } from '../../infra/evidence/far-store.ts';
import { languageFor } from '../../infra/language.ts';
import type { QuestionHandler, QuestionTools, Replied } from '../../infra/queue/questions.ts';
import type { SiteRules } from '../../infra/redact/redactor.ts';
import { wordsWithoutSecrets } from '../../infra/redact/words.ts';
import type { Probe, Question, Reply } from '../../playbooks/model/index.ts';
import { type ModelWatch, priceOf, watching } from '../prose/afterwards.ts';
import { openClient } from '../prose/client.ts';
import { cacheOn, spendingOn } from '../prose/spending.ts';
import { answerRound } from './answer.ts';
import { type EvidenceText, MOST_FILE_CHARS } from './chunks.ts';
import type { Source } from './gather.ts';

/** A question is answered from what there is. */
const withoutIt = (error: unknown): null => {
  if (error instanceof NoEvidence) return null;
  throw error;
};

/** The looks of a thread whose answers are still kept, newest first, with their evidence as it left the worker: redacted. */
const sourcesOf = async ({ looks, process }: Question, { answerTo, readFile }: QuestionTools): Promise<Source[]> => {
  const sources: Source[] = [];
  const decoder = new TextDecoder('utf-8', { fatal: false });
  for (const id of looks) {
    const answer = await answerTo(id);
    if (answer?.outcome.kind !== 'report') continue;
    const { report } = answer.outcome;
    // A thread may hold looks at others (`on HOST PID`): their evidence says nothing of this process.
    if (report.target.host !== process.host || report.target.pid !== process.pid) continue;
    // Another process may have had this pid before: what was seen of it says nothing of the one that the newest look saw.
    const [newest] = sources;
    if (newest !== undefined && newest.report.target.startTime !== report.target.startTime) continue;
    const files: EvidenceText[] = [];
    for (const file of answer.files) {
      const entry = report.evidence.find((each) => each.id === file.evidenceId);
      const content = entry === undefined || file.bytes === 0 ? null : await readFile(file).catch(withoutIt);
      if (entry === undefined || content === null) continue;
      const text = decoder.decode(content.subarray(0, MOST_FILE_CHARS));
      files.push({ evidenceId: file.evidenceId, probe: entry.probe, text });
    }
    sources.push({ report, files });
  }
  return sources;
};

const NO_MODEL: Reply = { said: { kind: 'no-model' }, model: '', usage: { input: 0, output: 0 }, price: null };

/** Answers questions with the model of the configuration; without one each is told so. */
export const questionHandler = (
  model: ModelConfig | undefined,
  { probes, redaction }: { readonly probes: ReadonlyMap<string, Probe>; readonly redaction: SiteRules },
  now: () => number = Date.now,
  watch: ModelWatch = {},
): QuestionHandler => {
  if (model === undefined) return async () => ({ reply: NO_MODEL, file: null });
  const ask = openClient({
    apiKey: model.apiKey,
    baseUrl: model.baseUrl,
    model: model.name,
    timeoutMs: model.timeoutSeconds * 1_000,
    maxOutputTokens: model.maxOutputTokens,
    ...watching(model, watch),
  });
  return async (question, tools): Promise<Replied> => {
    const text = await wordsWithoutSecrets(question.text, redaction);
    const replied = (said: Reply['said'], input: number, output: number): Reply => {
      const usage = { input: question.spent.input + input, output: question.spent.output + output };
      return { said, model: model.name, usage, price: priceOf(usage, model.price) };
    };
    if (text === null)
      return { reply: replied({ kind: 'nothing', note: 'it could not be checked for secrets' }, 0, 0), file: null };
    const { said, usage, transcript } = await answerRound(
      { ...question, text },
      await sourcesOf(question, tools),
      {
        ask,
        language: languageFor(model.language, question.locale),
        spending: spendingOn(tools.notes, model.budget, now),
        cache: cacheOn(tools.notes),
        budget: { ...model.questions, perRequest: model.budget.perLook, maxOutputTokens: model.maxOutputTokens },
        model: model.name,
        probes,
        now,
      },
      tools.signal,
    );
    const content = new TextEncoder().encode(transcript);
    return {
      reply: replied(said, usage.input, usage.output),
      file: { name: 'model.txt', evidenceId: 'model', content, truncated: false },
    };
  };
};
