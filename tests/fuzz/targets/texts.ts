import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { BadConfig, readConfig } from '../../../infra/config.ts';
import { AnswerMessage, Intake, problems, whereFrom } from '../../../infra/queue/messages.ts';
import { redactor } from '../../../infra/redact/redactor.ts';
import { scanForSecrets } from '../../../infra/redact/scan.ts';
import { readPlaybook } from '../../../playbooks/catalog.ts';
import { type Probe, Request } from '../../../playbooks/model/index.ts';
import { gate } from '../../../workers/prose/gate.ts';
import type { ModelProse } from '../../../workers/prose/schema.ts';
import { viewOf } from '../../../workers/prose/view.ts';
import { sickReport } from '../../support/reports.ts';
import { damagedText, NASTY, sentences, type Target, textTarget } from '../target.ts';

const ROOT = path.join(import.meta.dirname, '../../..');
const textOf = (...parts: string[]): string => readFileSync(path.join(ROOT, ...parts), 'utf8');
const view = viewOf(sickReport);
const ids = view.items.map(({ id }) => id);
const said = view.items.map(({ text }) => text);

/** Something that stands where a secret may, in the forms of command lines, environments, headers and traces. */
const secretive = fc
  .tuple(
    fc.constantFrom(
      'password=',
      'token: ',
      '--api-key ',
      'https://u:',
      'Authorization: Bearer ',
      'AWS_SECRET_ACCESS_KEY=',
      '"',
      '\\"',
      '-----BEGIN RSA PRIVATE KEY-----\n',
      'Cookie: a=',
    ),
    NASTY,
  )
  .map(([before, text]) => before + text);

/** A model's answer as free as JSON lets it be, near enough to the schema to reach the gate. */
const answers: fc.Arbitrary<ModelProse> = (() => {
  const claim = fc.record({
    text: fc.oneof(NASTY, damagedText(said)),
    rests_on: fc.array(fc.oneof(fc.constantFrom(...ids), fc.string({ maxLength: 8 })), { maxLength: 5 }),
  });
  const fix = fc.record({
    fix: fc.oneof(fc.constantFrom(...ids), NASTY),
    text: NASTY,
    code: fc.option(fc.oneof(NASTY, damagedText(said))),
    rests_on: fc.array(fc.constantFrom(...ids), { maxLength: 3 }),
  });
  const some = { maxLength: 8 };
  return fc.record({
    headline: claim,
    sentences: fc.array(claim, some),
    fix: fc.option(fix),
    next: fc.array(claim, some),
  });
})();

const yaml = (samples: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof(
    damagedText(samples),
    sentences(['hosts:\n', '  - name: a\n', '&a', '*a', '<<: *a', '? x', '|\n', '!!js/function', '---\n']),
  );

const configTarget = (): Target =>
  textTarget('file/config', yaml([textOf('infra/deploy/straceback.example.yaml')]), (text) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'straceback-fuzz-'));
    const file = path.join(folder, 'straceback.yaml');
    try {
      writeFileSync(file, text);
      readConfig(file, {});
    } catch (error) {
      if (!(error instanceof BadConfig)) throw error;
      if (error.message === '') throw new Error('it does not say what is wrong');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

const playbookTarget = (probes: ReadonlyMap<string, Probe>): Target => {
  const folder = path.join(ROOT, 'playbooks/catalog');
  return textTarget(
    'file/playbook',
    yaml(readdirSync(folder).map((name) => textOf('playbooks/catalog', name))),
    (text) => {
      const read = readPlaybook('x.yaml', text, probes);
      if ('faults' in read && read.faults.length === 0) throw new Error('it does not say what is wrong');
    },
  );
};

/** Texts that are read by schemas or looked through: files of the site, payloads of the queue, secrets, a model's answer. */
export const textTargets = (probes: ReadonlyMap<string, Probe>): Target[] => [
  configTarget(),
  playbookTarget(probes),
  textTarget('queue/payload', fc.json({ maxDepth: 5 }), (text) => {
    const payload: unknown = JSON.parse(text);
    for (const schema of [Intake, AnswerMessage, Request]) {
      const parsed = schema.safeParse(payload);
      if (!parsed.success && problems(parsed.error) === '') throw new Error('it does not say what is wrong');
    }
    whereFrom(payload);
  }),
  textTarget(
    'secret/redact',
    fc.array(fc.oneof(NASTY, secretive), { maxLength: 5 }).map((parts) => parts.join('\n')),
    async (text) => {
      const redact = redactor(await scanForSecrets([text]));
      const lines = redact.text(text).split('\n').length;
      if (lines !== text.split('\n').length) throw new Error('lines are not where they were');
    },
  ),
  textTarget(
    'model/answer',
    answers.map((answer) => JSON.stringify(answer)),
    (text) => {
      const { prose, dropped } = gate(JSON.parse(text) as ModelProse, view);
      if (prose === null && dropped.length === 0) throw new Error('it does not say why it dropped all');
    },
  ),
];
