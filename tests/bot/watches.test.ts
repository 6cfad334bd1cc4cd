import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { curve, ends } from '../../bot/watches/curve.ts';
import { changeSentence, curves, watchContent } from '../../bot/watches/message.ts';
import { Watch } from '../../bot/watches/state.ts';
import { type Change, knownCauses, takeIn } from '../../bot/watches/take-in.ts';
import type { Answer, Outcome } from '../../infra/queue/messages.ts';
import type { FailureCode, Report } from '../../playbooks/model/index.ts';
import { requestForTest } from '../support/queue.ts';
import { healthyReport, hostileReport, sickReport, unclearReport } from '../support/reports.ts';

const fresh: Watch = {
  id: 'r-0123456789abcdef',
  team: 'T1',
  channel: 'C1',
  threadTs: '1.1',
  user: 'U1',
  host: 'web-7',
  pid: 6325,
  messageTs: '1.2',
  startedAt: 1_700_000_000_000,
  until: 1_700_000_600_000,
  startTime: null,
  command: null,
  round: 0,
  points: [],
  failing: null,
  compared: false,
  causes: [],
  ended: null,
};

const answerOf = (outcome: Outcome): Answer => {
  const request = requestForTest();
  return { requestId: request.id, request, outcome, files: [] };
};
const report = (change: Partial<Report>): Answer =>
  answerOf({ kind: 'report', report: { ...unclearReport, findings: [], ruledOut: [], cannotTell: [], ...change } });
const failure = (code: FailureCode, sentence = 'It did not work.'): Answer =>
  answerOf({ kind: 'failure', failure: { code, sentence } });

const [deadlock] = sickReport.findings;
if (deadlock === undefined) throw new Error('the sick report has no finding');
const sick = report({ findings: [deadlock] });
const clear = report({ ruledOut: [{ cause: deadlock.cause, why: 'nobody waits for a lock' }] });
const untold = report({ cannotTell: [{ cause: deadlock.cause, why: 'no stacks' }] });

/** A watch after these answers, and all that was said. */
const having = (answers: readonly (Answer | null)[], from: Watch = fresh): { watch: Watch; said: Change[] } => {
  let watch = from;
  const said: Change[] = [];
  for (const answer of answers) {
    const taken = takeIn(watch, watch.round + 1, answer, fresh.startedAt + (watch.round + 1) * 25_000);
    watch = Watch.parse(taken.watch);
    said.push(...taken.changes);
  }
  return { watch, said };
};
const kinds = (said: readonly Change[]) => said.map(({ kind }) => kind);

describe('a curve', () => {
  test('goes from the lowest to the highest value', () => {
    expect(curve([0, 1, 2, 3, 4, 5, 6, 7], 20)).toBe('▁▂▃▄▅▆▇█');
    expect(curve([100, 300, 200], 20)).toBe('▁█▅');
  });
  test('of what hardly moves is flat, a look that failed is a dot', () => {
    expect(curve([304_000, 304_100, null, 304_050], 20)).toBe('▄▄·▄');
    expect(curve([0, 0], 20)).toBe('▄▄');
    expect(curve([], 20)).toBe('');
    expect(curve([null], 20)).toBe('·');
  });
  test('that is squeezed keeps its peaks and its width', () => {
    const values = Array.from({ length: 300 }, (_, index) => (index === 151 ? 900 : index % 3));
    const shown = curve(values, 30);
    expect(Array.from(shown)).toHaveLength(30);
    expect(shown).toContain('█');
  });
  test('is made of any numbers', () => {
    fc.assert(
      fc.property(
        fc.array(fc.option(fc.double({ noNaN: true, min: 0, max: 1e15 }))),
        fc.integer({ min: 1, max: 60 }),
        (values, width) => {
          const shown = curve(values, width);
          expect(shown).toMatch(/^[▁▂▃▄▅▆▇█·]*$/u);
          expect(Array.from(shown)).toHaveLength(Math.min(values.length, width));
          const figures = ends(values);
          if (figures !== null) expect(figures.most).toBeGreaterThanOrEqual(figures.last);
        },
      ),
    );
  });
});

describe('what a look changes', () => {
  test('a finding that the thread knows is not said to appear, nor what the first look finds', () => {
    expect(having([sick, sick], { ...fresh, compared: true, causes: knownCauses(sickReport) }).said).toEqual([]);
    expect(having([sick, sick]).said).toEqual([]);
  });
  test('a finding appears once, and goes when two looks in a row rule it out', () => {
    const { said, watch } = having([clear, sick, sick, clear, sick, clear, untold, clear, clear]);
    expect(kinds(said)).toEqual(['appeared', 'went']);
    expect(said[0]).toMatchObject({ finding: { cause: deadlock.cause } });
    expect(said[1]).toMatchObject({ cause: deadlock.cause, why: 'nobody waits for a lock' });
    expect(watch.causes).toMatchObject([{ present: false, seen: false }]);
  });
  test('what could not be judged has not gone', () => {
    expect(kinds(having([clear, sick, untold, untold, untold]).said)).toEqual(['appeared']);
  });
  test('a hint is not a finding, and health is none', () => {
    const hint = report({ findings: [{ ...deadlock, confidence: 0.4 }] });
    expect(having([clear, hint, report({ findings: healthyReport.findings })]).said).toEqual([]);
  });
  test('what comes and goes is said six times, the last time with a word that it is the last', () => {
    const flapping = Array.from({ length: 12 }, () => [sick, clear, clear]).flat();
    const { said } = having([clear, ...flapping]);
    expect(said).toHaveLength(6);
    expect(said.map(({ last }) => last)).toEqual([false, false, false, false, false, true]);
  });
  test('a look that fails is a gap, one that cannot work ends the watch', () => {
    const { watch } = having([clear, failure('unreachable', 'No way there.'), failure('busy'), clear, failure('busy')]);
    expect(watch.points.map(({ rssKib }) => rssKib === null)).toEqual([true, true, true, true, true]);
    expect(watch.failing).toEqual({ times: 1, sentence: 'It did not work.' });
    expect(watch.ended).toBeNull();
    expect(having([failure('unknown-host', 'No such host.')]).watch.ended).toMatchObject({
      why: 'No such host.',
      tell: true,
    });
    expect(having([null]).watch.failing?.times).toBe(1);
  });
  test('the end of the process ends the watch and is told', () => {
    const { watch } = having([clear, failure('no-such-process', 'There is no process 6325 on web-7.')]);
    expect(watch.ended).toMatchObject({ why: 'The process is gone. There is no process 6325 on web-7.', tell: true });
  });
  test('hours of looks are kept in bounds, with their first, their last and their peak', () => {
    const many = Array.from({ length: 3_000 }, (_, index) =>
      report({ figures: { cpuPercent: index === 1_700 ? 380 : 10, rssKib: 1_000 + index } }),
    );
    const { watch } = having(many);
    expect(watch.points.length).toBeLessThan(500);
    expect(ends(watch.points.map(({ cpuPercent }) => cpuPercent))).toEqual({ first: 10, last: 10, most: 380 });
    expect(ends(watch.points.map(({ rssKib }) => rssKib))).toEqual({ first: 1_000, last: 3_999, most: 3_999 });
  });
});

describe('what is shown', () => {
  const { watch } = having([
    report({ figures: { cpuPercent: 12, rssKib: 120 * 1024, threads: 22, fds: 40 } }),
    report({ figures: { cpuPercent: 97, rssKib: 310 * 1024, threads: 22, fds: 91 } }),
    report({ figures: { cpuPercent: 88, rssKib: 304 * 1024, threads: 22 } }),
  ]);
  test('figures stand first, last and highest beside their curve', () => {
    expect(curves(watch.points)).toBe(
      [
        'CPU          ▁█▇  12 % → 88 %, max 97 %',
        'memory       ▁██  120 MiB → 304 MiB, max 310 MiB',
        'threads      ▄▄▄  22 → 22',
        'descriptors  ▁█·  40 → 91',
      ].join('\n'),
    );
  });
  test('a hostile process stays literal text', () => {
    const { watch: hostile } = having([answerOf({ kind: 'report', report: hostileReport })], {
      ...fresh,
      compared: true,
    });
    const shown = JSON.stringify(watchContent(hostile, 25_000));
    expect(shown).not.toMatch(/"type":"(?:link|broadcast|usergroup)"/);
    expect(watchContent(hostile, 25_000).text).not.toMatch(/<[!@]/);
    for (const change of having([clear, answerOf({ kind: 'report', report: hostileReport })]).said)
      expect(changeSentence(hostile, change).length).toBeGreaterThan(10);
  });
  test('what is found now stands apart from what was found before and may still be there', () => {
    const words = (answers: readonly Answer[]) =>
      JSON.stringify(
        watchContent(having(answers, { ...fresh, compared: true, causes: knownCauses(sickReport) }).watch, 25_000),
      );
    expect(words([])).toContain('The first look is on its way.');
    expect(words([sick])).toContain(`Found: ${deadlock.title}.`);
    expect(words([untold])).toContain(
      `The last look found no fault. Found before, and not ruled out since: ${deadlock.title}`,
    );
    expect(words([clear, clear])).not.toContain(deadlock.title);
  });
  test('its end says why and for how long', () => {
    const ended = { at: fresh.startedAt + 90_000, why: 'Ended by Bob.', tell: false, shown: false };
    const shown = JSON.stringify(watchContent({ ...watch, ended }, 25_000));
    expect(shown).toContain('Watched process 6325 on web-7 for 90 s');
    expect(shown).toContain('Ended by Bob.');
    expect(shown).not.toContain('until');
  });
});
