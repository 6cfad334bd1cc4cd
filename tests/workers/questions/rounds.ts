import type { ModelConfig } from '../../../infra/config.ts';
import type { Answer, StoredFile } from '../../../infra/queue/messages.ts';
import type { Notes } from '../../../infra/queue/notes.ts';
import type { QuestionTools, Replied } from '../../../infra/queue/questions.ts';
import { NO_SITE_RULES } from '../../../infra/redact/redactor.ts';
import type { Question, Report, Step } from '../../../playbooks/model/index.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { questionHandler } from '../../../workers/questions/take.ts';
import type { ModelServer } from '../../support/model-server.ts';
import { modelConfig } from '../../support/questions.ts';
import { requestForTest } from '../../support/queue.ts';
import { sickReport } from '../../support/reports.ts';

const probes = await loadProbes();

export const LSOF: Step = {
  verb: 'lsof',
  playbook: 'lsof',
  summary: 'all that the process has open',
  takes: { probe: 'lsof', option: 'pattern' },
};
export const STACKS: Step = { verb: 'stacks', playbook: 'stacks', summary: 'Python stacks of all threads' };
export const GCORE: Step = { verb: 'gcore', playbook: 'gcore', summary: 'a core of the process' };

export const questionFor = (text: string, change: Partial<Question> = {}): Question => ({
  id: 'q-1',
  round: 1,
  text,
  channel: 'C1',
  process: { host: 'web-7', pid: 6325 },
  looks: ['look-1'],
  may: [LSOF, STACKS],
  offers: [LSOF, STACKS, GCORE],
  spent: { steps: 0, input: 0, output: 0, since: Date.now() },
  ...change,
});

/** Notes in memory, as one worker alone would have them. */
export const notesInMemory = (): Notes => {
  const kept = new Map<string, unknown>();
  const name = (kind: string, id: string) => `${kind}/${id}`;
  return {
    get: async (kind, id) => kept.get(name(kind, id)) ?? null,
    set: async (kind, id, value) => void kept.set(name(kind, id), value),
    claim: async (kind, id, value) => {
      if (kept.has(name(kind, id))) return false;
      kept.set(name(kind, id), value);
      return true;
    },
    count: async (kind, id, _seconds, by = 1) => {
      const next = Number(kept.get(name(kind, id)) ?? 0) + by;
      kept.set(name(kind, id), next);
      return next;
    },
    remove: async (kind, id) => void kept.delete(name(kind, id)),
  };
};

/** What is kept of the thread's one look. */
export interface Kept {
  readonly report?: Report;
  /** The text of its file of py-stacks. */
  readonly text?: string;
}

/** What a worker gets with a question of a thread with one look. */
export const toolsWith = ({ report = sickReport, text = '' }: Kept, signal?: AbortSignal): QuestionTools => {
  const entry = { id: 'E9', probe: 'py-stacks', command: 'py-stacks', exit: 0, seconds: 3, bytes: 1, truncated: false };
  const file: StoredFile = { name: 'E9.txt', evidenceId: 'E9', bytes: text.length, truncated: false, stored: 'E9' };
  const answer: Answer = {
    requestId: 'look-1',
    request: requestForTest({ id: 'look-1-request' }),
    outcome: { kind: 'report', report: { ...report, evidence: [...report.evidence, entry] } },
    files: [file],
  };
  return {
    signal: signal ?? new AbortController().signal,
    notes: notesInMemory(),
    answerTo: async (id) => (id === 'look-1' ? answer : null),
    readFile: async () => Buffer.from(text),
  };
};

/** One round of a question by the real handler of a worker, with the model of the test. */
export const round = (
  server: ModelServer,
  question: Question,
  tools: QuestionTools,
  change: Partial<ModelConfig> = {},
): Promise<Replied> =>
  questionHandler(modelConfig(server, change), { probes, redaction: NO_SITE_RULES })(
    {
      ...question,
      handTo: { errand: 'replied', data: {} },
      at: Date.now(),
    },
    tools,
  );
