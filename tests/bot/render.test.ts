import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Content } from '../../bot/slack/shapes.ts';
import {
  failureContent,
  openingContent,
  progressContent,
  reportContent,
  sentenceContent,
} from '../../bot/thread/first-message.ts';
import { renderReport } from '../../bot/thread/render.ts';
import { cutTo, escaped, spans } from '../../bot/thread/rich-text.ts';
import { checkMessageBlocks } from '../../infra/sandbox/slack/blocks/index.ts';
import type { Report } from '../../playbooks/model/index.ts';
import { anyReport } from '../support/any-report.ts';
import { anyText } from '../support/any-text.ts';
import { requestForTest } from '../support/queue.ts';
import { HOSTILE, healthyReport, hostileReport, sickReport, unclearReport } from '../support/reports.ts';

const request = { ...requestForTest(), id: 'r-0123456789abcdef' };

/** All strings in a tree with the name of the field that holds them. */
const strings = (tree: unknown, name = ''): { name: string; value: string }[] => {
  if (typeof tree === 'string') return [{ name, value: tree }];
  if (typeof tree !== 'object' || tree === null) return [];
  return Object.entries(tree).flatMap(([key, value]) => strings(value, Array.isArray(tree) ? name : key));
};

/** Why Slack would not take it, or why a text in it could do something; empty when all is well. */
const faults = (content: Content, limit = 4_000): string[] => {
  const blocks: unknown = JSON.parse(JSON.stringify(content.blocks));
  const checked = checkMessageBlocks(blocks);
  const all = strings(blocks);
  return [
    ...(checked.ok ? [] : [checked.error, ...checked.problems]),
    ...(content.text.length > limit ? [`text has ${content.text.length} characters`] : []),
    // The text of a message is mrkdwn, where these characters begin mentions and links.
    ...(/[<>]|&(?!amp;|lt;|gt;)/.test(content.text) ? [`unescaped: ${content.text}`] : []),
    // No field that Slack parses, so that nothing in blocks needs to be escaped.
    ...all
      .filter(
        ({ name, value }) =>
          name === 'type' && ['mrkdwn', 'markdown', 'broadcast', 'link', 'channel', 'usergroup'].includes(value),
      )
      .map(({ value }) => `block of type ${value}`),
    ...all
      .filter(({ value }) => /[^\P{Cc}\n\t]|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\p{Cs}]/u.test(value))
      .map(({ value }) => `control character: ${JSON.stringify(value)}`),
  ];
};

test.each([
  ['sick', sickReport],
  ['healthy', healthyReport],
  ['unclear', unclearReport],
  ['hostile', hostileReport],
] as const)('the %s report is posted as it was', async (name, report) => {
  const messages = renderReport(report, 'U0BOB0001');
  expect(messages.flatMap((message) => faults(message))).toEqual([]);
  await expect(`${JSON.stringify(messages, null, 2)}\n`).toMatchFileSnapshot(
    `../fixtures/reports/${name}.messages.json`,
  );
});

test('any report keeps to the limits of Slack and holds nothing that Slack would obey', () => {
  fc.assert(
    fc.property(anyReport, (report: Report) => {
      const messages = renderReport(report, 'U0BOB0001');
      expect(messages.length).toBeLessThanOrEqual(5);
      expect(messages.flatMap((message) => faults(message))).toEqual([]);
      expect(faults(reportContent(request, 'U0BOB0001', report))).toEqual([]);
    }),
    { numRuns: 100 },
  );
});

test('any failure, progress and sentence does too', () => {
  const text = fc.oneof(anyText(6_000), fc.constantFrom(...HOSTILE));
  fc.assert(
    fc.property(text, fc.double({ min: 0, max: 100, noNaN: true }), (sentence, percent) => {
      const progress = { requestId: request.id, doing: sentence, probes: ['sample'], percent, seconds: percent };
      const all = [
        openingContent(request, 'U0BOB0001', sentence),
        progressContent(request, 'U0BOB0001', progress),
        failureContent(request, 'U0BOB0001', { code: 'internal', sentence }),
        sentenceContent(sentence, 'U0BOB0001'),
      ];
      expect(all.flatMap((content) => faults(content))).toEqual([]);
    }),
  );
});

test('what was cut says so and says where the whole is', () => {
  const long: Report = {
    ...sickReport,
    caveats: Array.from({ length: 2_000 }, (_, index) => `Caveat ${index} ${'x'.repeat(50)}`),
  };
  const last = renderReport(long, 'U1').at(-1);
  expect(JSON.stringify(last?.blocks.at(-1))).toContain('The whole is in report.txt and report.json');
  expect(JSON.stringify(renderReport(sickReport, 'U1'))).not.toContain('Shortened here');
});

test('evidence, fixes and reasons are all there', () => {
  const text = strings(renderReport(sickReport, 'U1').map((message) => message.blocks))
    .map(({ value }) => value)
    .join('\n');
  for (const finding of sickReport.findings) {
    expect(text).toContain(finding.title);
    for (const { evidenceId, line, text: quote } of finding.evidence)
      expect(text).toContain(`[${evidenceId}:${line}] ${quote}`);
    for (const fix of finding.fixes) expect(text).toContain(fix.code?.trimEnd() ?? fix.title);
  }
  for (const { cause } of [...sickReport.ruledOut, ...sickReport.cannotTell]) expect(text).toContain(cause);
  expect(text).toContain('1.3 s');
});

test('the first message is green, red or yellow', () => {
  const title = (report: Report) => JSON.stringify(reportContent(request, 'U1', report).blocks[0]);
  expect(title(healthyReport)).toContain('🟢');
  expect(title(sickReport)).toContain('🔴');
  expect(title(unclearReport)).toContain('🟡');
});

test('words between backticks are code, and only they', () => {
  expect(spans('a `b` c')).toEqual([
    { type: 'text', text: 'a ' },
    { type: 'text', text: 'b', style: { code: true } },
    { type: 'text', text: ' c' },
  ]);
  expect(spans('a ` b')).toEqual([
    { type: 'text', text: 'a ' },
    { type: 'text', text: '` b' },
  ]);
  expect(spans('')).toEqual([]);
});

test('cutting keeps characters whole and says how long it was', () => {
  expect(cutTo('short', 10)).toEqual({ text: 'short', cut: false });
  const { text, cut } = cutTo('😀'.repeat(2_000), 101);
  expect(cut).toBe(true);
  expect(text).toMatch(/^(😀)+ \(cut, 4,000 characters\)$/u);
  expect(text.length).toBeLessThanOrEqual(101);
});

test('mrkdwn is escaped as Slack asks', () => {
  expect(escaped('<!channel> & "x"')).toBe('&lt;!channel&gt; &amp; "x"');
});
