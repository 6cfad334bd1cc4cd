import type { ModelConfig } from '../../infra/config.ts';
import { languageFor } from '../../infra/language.ts';
import type { Counts } from '../../infra/metrics/counts.ts';
import type { Afterwards, LookResult } from '../../infra/queue/worker-side.ts';
import type { Trace } from '../../infra/tracing/trace.ts';
import type { Report, Request } from '../../playbooks/model/index.ts';
import { type AskModel, openModel, type Usage } from './client.ts';
import { inputFor, instructionsFor } from './prompt.ts';
import { cacheOn, spendingOn } from './spending.ts';
import { viewOf } from './view.ts';
import { writeProse } from './write.ts';

/** The errand that shows prose in a thread. */
const ERRAND = 'prose';

/** What the model is for reports; questions have a budget of their own. */
type ProseModel = Omit<ModelConfig, 'questions'>;

/** What tokens cost, in US dollars; null when the site has not said. */
export const priceOf = ({ input, output }: Usage, price: ModelConfig['price']): number | null =>
  price === undefined ? null : (input * price.input + output * price.output) / 1e6;

/** A report that says something of its own, and that somebody reads: not one tool's output, not a look of a watch. */
const isWorthIt = (request: Request, report: Report): boolean =>
  request.origin.kind === 'slack' &&
  request.origin.quiet !== true &&
  // A step for a question is put into words by its answer.
  request.origin.handTo?.errand !== 'question-step' &&
  (report.findings.length > 0 || report.shown === undefined);

/** About four characters a token; the longest that a request may come to. */
const mostTokens = (report: Report, model: ProseModel): number =>
  Math.ceil((instructionsFor('en').length + inputFor(viewOf(report)).length) / 3) + model.maxOutputTokens;

/** Who is told of requests to the model. */
export interface ModelWatch {
  readonly counts?: Pick<Counts, 'model'> | undefined;
  readonly trace?: Trace | undefined;
}

/** How a client of this model tells of its requests. */
export const watching = ({ price }: Pick<ModelConfig, 'price'>, { counts, trace }: ModelWatch) => ({
  trace,
  told: (outcome: 'answered' | 'failed', usage: Usage) =>
    counts?.model({ outcome, ...usage, price: priceOf(usage, price) }),
});

/** The work that has a report put into words after it was posted; undefined where there is none to do. */
export const proseAfterwards = (
  model: ProseModel | undefined,
  watch: ModelWatch = {},
): ((request: Request, report: Report) => LookResult['afterwards']) => {
  if (model === undefined) return () => undefined;
  const ask: AskModel = openModel({
    apiKey: model.apiKey,
    baseUrl: model.baseUrl,
    model: model.name,
    timeoutMs: model.timeoutSeconds * 1_000,
    maxOutputTokens: model.maxOutputTokens,
    ...watching(model, watch),
  });
  return (request, report) => {
    const { origin } = request;
    if (origin.kind !== 'slack' || !isWorthIt(request, report)) return undefined;
    return async ({ signal, notes }): Promise<Afterwards> => {
      const spending = spendingOn(notes, model.budget, Date.now);
      const tooLong = mostTokens(report, model) > model.budget.perLook;
      const written = await writeProse(
        report,
        {
          ask,
          model: model.name,
          cache: cacheOn(notes),
          spending: tooLong
            ? { ...spending, refusal: async () => 'it would take more tokens than one look may' }
            : spending,
        },
        { channel: origin.channel, language: languageFor(model.language, origin.locale) },
        signal,
      );
      const { prose, note, usage, cached, dropped, transcript } = written;
      return {
        errand: ERRAND,
        data: {
          prose,
          note,
          usage,
          cached,
          dropped: dropped.length,
          price: priceOf(usage, model.price),
          model: model.name,
        },
        file: {
          name: 'model.txt',
          evidenceId: 'model',
          content: new TextEncoder().encode(transcript),
          truncated: false,
        },
      };
    };
  };
};
