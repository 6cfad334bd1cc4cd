import { expect, test } from 'vitest';
import { atMost } from '../../../workers/ssh/at-most.ts';

test('so many at once and no more, in their order, and one that fails gives its place on', async () => {
  const turn = atMost(2);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const works = Array.from({ length: 5 }, (_, number) =>
    turn(async () => {
      begun.push(number);
      await new Promise<void>((resolve) => ends.push(resolve));
      if (number === 1) throw new Error('this one fails');
      return number;
    }),
  );
  const settled = Promise.allSettled(works);
  for (let ended = 0; ended < 5; ended += 1) {
    expect(begun).toEqual([0, 1, 2, 3, 4].slice(0, Math.min(5, ended + 2)));
    ends[ended]?.();
    await Promise.allSettled([works[ended]]);
  }
  expect((await settled).map(({ status }) => status)).toEqual(
    [0, 1, 2, 3, 4].map((number) => (number === 1 ? 'rejected' : 'fulfilled')),
  );
  expect(await turn(async () => 'free again')).toBe('free again');
});
