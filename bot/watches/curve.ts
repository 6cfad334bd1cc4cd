const STEPS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const;
/** Where there was no look. */
const GAP = '·';
/** Less than this share of the highest value is no movement that is worth a picture. */
const LEAST_SPAN = 0.01;

type Value = number | null;

const present = (values: readonly Value[]): number[] => values.filter((value) => value !== null);

/** As many values as fit, each the highest of those that it stands for, so that no peak is lost. */
const squeezed = (values: readonly Value[], width: number): Value[] =>
  values.length <= width
    ? [...values]
    : Array.from({ length: width }, (_, index) => {
        const from = Math.floor((index * values.length) / width);
        const some = present(values.slice(from, Math.floor(((index + 1) * values.length) / width)));
        return some.length === 0 ? null : Math.max(...some);
      });

/**
 * Values as one line of at most `width` block characters, from the lowest value to the highest; in the middle when they do not
 * move, a dot where there is none. Pure.
 */
export const curve = (values: readonly Value[], width: number): string => {
  const known = present(values);
  const low = Math.min(...known);
  const high = Math.max(...known);
  const flat = !(high - low > LEAST_SPAN * Math.max(Math.abs(high), Math.abs(low)));
  return squeezed(values, width)
    .map((value) => {
      if (value === null) return GAP;
      if (flat) return STEPS[3];
      return STEPS[Math.round(((value - low) / (high - low)) * (STEPS.length - 1))];
    })
    .join('');
};

/** The first, last and highest of values; null when there are none. */
export const ends = (values: readonly Value[]): { first: number; last: number; most: number } | null => {
  const known = present(values);
  const [first] = known;
  const last = known.at(-1);
  return first === undefined || last === undefined ? null : { first, last, most: Math.max(...known) };
};
