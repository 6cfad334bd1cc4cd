import type { BotContext } from '../context.ts';

/** What is counted of alerts, so that nothing is dropped silently. */
export const FIGURES = [
  'notices',
  'unrouted',
  'ended-unseen',
  'threads',
  'in-storms',
  'looks-asked',
  'looks-left',
  'refused',
] as const;
export type Figure = (typeof FIGURES)[number];

const KIND = 'alert-figure';
const KEEP_SECONDS = 40 * 24 * 3600;

const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10);

/** Raises a figure of today (UTC). A crash in the middle may count something twice, never too little. */
export const tally = async ({ queue }: Pick<BotContext, 'queue'>, figure: Figure): Promise<void> => {
  await queue.notes.count(KIND, `${figure} ${dayOf(queue.now())}`, KEEP_SECONDS);
};

/** The figures of a day (UTC), given as any time in it. Throws QueueUnavailable. */
export const figuresOf = async ({ queue }: Pick<BotContext, 'queue'>, at: number): Promise<Record<Figure, number>> => {
  const values = await Promise.all(FIGURES.map((figure) => queue.notes.get(KIND, `${figure} ${dayOf(at)}`)));
  return Object.fromEntries(FIGURES.map((figure, index) => [figure, Number(values[index] ?? 0)])) as Record<
    Figure,
    number
  >;
};
