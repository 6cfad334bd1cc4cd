import { z } from 'zod';
import type { Probe, Step } from '../../playbooks/model/index.ts';
import { visible } from '../../playbooks/reading/text.ts';
import type { ModelTool } from '../prose/client.ts';

/** A step as the model asked for it, held against what it may ask for. */
export interface Chosen {
  readonly verb: string;
  readonly text: string | null;
}

/** As the schema of requests that go to a host has it. */
const MOST_TEXT = 200;

/** The functions that a model is offered for steps: what they take is at most one text. */
export const toolsFor = (steps: readonly Step[]): ModelTool[] =>
  steps.map(({ verb, summary, takes }) => ({
    name: verb,
    description: `Looks at the same process once more, without harm: ${summary}.`,
    parameters: {
      type: 'object',
      properties:
        takes === undefined
          ? {}
          : {
              [takes.option]: {
                type: ['string', 'null'],
                description: `what to look for, at most ${MOST_TEXT} letters`,
              },
            },
      required: takes === undefined ? [] : [takes.option],
      additionalProperties: false,
    },
  }));

const json = (args: string): unknown => {
  try {
    return JSON.parse(args);
  } catch {
    return undefined;
  }
};

/**
 * What a call asks for, or why it may not be done, as a clause. Its name has to be that of an offered step, its arguments what
 * this step takes and no more (no host, no process, no impact can be named), and the probe's own schema, which the same
 * thread command is held to, has to take the text. Pure.
 */
export const chosenStep = (
  name: string,
  args: string,
  steps: readonly Step[],
  probes: ReadonlyMap<string, Probe>,
): Chosen | string => {
  const step = steps.find(({ verb }) => verb === name);
  if (step === undefined) return 'it is none of the steps that were offered';
  const { takes } = step;
  if (takes === undefined)
    return z.strictObject({}).safeParse(json(args)).success
      ? { verb: step.verb, text: null }
      : `${step.verb} takes no arguments`;
  const given = z.strictObject({ [takes.option]: z.string().max(MOST_TEXT).nullable() }).safeParse(json(args));
  if (!given.success) return `${step.verb} takes nothing but ${takes.option}`;
  const text = given.data[takes.option] ?? null;
  if (text === null || text === '') return { verb: step.verb, text: null };
  if (visible(text) !== text) return `${takes.option} has characters that cannot be seen`;
  const probe = probes.get(takes.probe);
  if (probe?.options.safeParse({ [takes.option]: text }).success !== true)
    return `${takes.probe} does not take this as ${takes.option}`;
  return { verb: step.verb, text };
};
