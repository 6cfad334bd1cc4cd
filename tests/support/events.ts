import type { LiveProcess } from './live-process.ts';

/** One event of a program: a JSON object on a line of its standard output. */
export type Event = Readonly<Record<string, unknown>> & { readonly event: string };

/** The next event of this name (for which `fits` holds); rejects when the program ends first. Other lines are skipped. */
export const nextEvent = async (
  live: LiveProcess,
  name: string,
  fits: (event: Event) => boolean = () => true,
): Promise<Event> => {
  for (;;) {
    const event = JSON.parse(await live.line(/^\{/)) as Event;
    if (event.event === name && fits(event)) return event;
  }
};

/** A number of an event. Throws when there is none of this name. */
export const numberOf = (event: Event, field: string): number => {
  const value = event[field];
  if (typeof value !== 'number') throw new Error(`${event.event} has no number ${field}`);
  return value;
};

/** A list of numbers of an event. Throws when there is none of this name. */
export const numbersOf = (event: Event, field: string): number[] => {
  const value = event[field];
  if (!Array.isArray(value)) throw new Error(`${event.event} has no list ${field}`);
  return value.map(Number);
};
