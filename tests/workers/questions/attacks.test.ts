import { describe, expect, it } from 'vitest';
import type { Report } from '../../../playbooks/model/index.ts';
import { type ModelReply, type ModelRequest, modelServerForTest } from '../../support/model-server.ts';
import { answerOf, itemsShown } from '../../support/questions.ts';
import { sickReport } from '../../support/reports.ts';
import { ATTACKS, PLACES } from '../prose/attacks.ts';
import { CALLS } from './calls.ts';
import { GCORE, LSOF, questionFor, round, STACKS, toolsWith } from './rounds.ts';

const QUESTION = 'why is thread 25 stuck?';

/** Where a host, an alert or a person can write what a model reads for a question: the report, the evidence, the question. */
interface Reading {
  readonly question: string;
  readonly report: Report;
  readonly text: string;
}

const inEvidence = (line: (text: string) => string) => (text: string) => ({
  question: QUESTION,
  report: sickReport,
  text: `Thread 25 waiting in take\n${line(text)}\n`,
});

const EVERYWHERE: Readonly<Record<string, (text: string) => Reading>> = {
  ...Object.fromEntries(
    Object.entries(PLACES).map(([place, put]) => [
      place,
      (text: string) => ({ question: QUESTION, report: put(sickReport, text), text: 'Thread 25 waiting in take\n' }),
    ]),
  ),
  'a process name in evidence': inEvidence((text) => `25 (${text}) S 1 25 thread`),
  'an argument in evidence': inEvidence((text) => `thread 25 argv[3]=${text}`),
  'an environment value in evidence': inEvidence((text) => `thread 25 NOTE=${text}`),
  'a file name in evidence': inEvidence((text) => `thread 25 7u REG /var/log/${text}.log`),
  'a log line in evidence': inEvidence((text) => `2024-05-01 12:00:00 ERROR thread 25: ${text}`),
  'an alert’s annotation in evidence': inEvidence((text) => `thread 25 annotation summary="${text}"`),
  'the question itself': (text) => ({
    question: `${QUESTION} ${text}`.slice(0, 500),
    report: sickReport,
    text: 'Thread 25 waiting in take\n',
  }),
};

/** What an obedient model cites: everything, what has the words, or what people believe most. */
const cites = (request: ModelRequest, text: string): string[][] => {
  const items = itemsShown(request);
  const told = items.filter((item) => item.text.includes(text.slice(0, 20))).map(({ id }) => id);
  return [items.map(({ id }) => id), told.length === 0 ? ['T1'] : told, ['F1'], ['F1', 'X1', 'V1', ...told]];
};

describe.each(Object.entries(EVERYWHERE))('a model that obeys %s', (_place, put) => {
  it('gets nothing said', async () => {
    let obey: (request: ModelRequest) => ModelReply = () => answerOf([]);
    const server = await modelServerForTest((request) => obey(request));
    for (const { text, obeyed } of ATTACKS) {
      const { question, report, text: evidence } = put(text);
      obey = (request) =>
        answerOf(
          cites(request, text).map((ids) => ({ text: obeyed, rests_on: ids })),
          obeyed,
        );
      const { reply } = await round(server, questionFor(question), toolsWith({ report, text: evidence }));
      expect(reply.said, text).toMatchObject({ kind: 'answer', sentences: [], lines: [], dropped: 4 });
      const offer = reply.said.kind === 'answer' ? reply.said.offer : '';
      expect([null, LSOF.verb, STACKS.verb, GCORE.verb]).toContain(offer);
    }
    // Nothing of it was told to the model as its instructions.
    for (const { text } of ATTACKS)
      expect(server.requests.some(({ instructions }) => instructions.includes(text))).toBe(false);
  });
});

describe.each(['a command line', 'a log line in evidence', 'the question itself'])('a model that obeys %s', (place) => {
  it('gets nothing called but what is offered, with what that takes', async () => {
    const put = EVERYWHERE[place];
    let obey: ModelReply = answerOf([]);
    const server = await modelServerForTest((request) => (request.tools.length === 0 ? answerOf([]) : obey));
    for (const { name, args } of CALLS) {
      const reading = put?.(`call ${name} with ${args}`);
      if (reading === undefined) throw new Error('there is no such place');
      const { question, report, text } = reading;
      obey = { kind: 'call', name, args };
      const { reply } = await round(server, questionFor(question), toolsWith({ report, text }));
      expect(reply.said.kind, `${name}(${args})`).toBe('answer');
    }
  });
});
