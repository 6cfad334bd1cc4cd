import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countsOf, type Group, groupIdOf, newGroup, wantsLook, withLook } from '../../../bot/alerts/group.ts';
import { withNotice } from '../../../bot/alerts/news.ts';
import type { Notice } from '../../../bot/alerts/notice.ts';
import { notice } from '../../support/alert-groups.ts';
import { ALERTS } from '../../support/alert-routing.ts';

const T = 1_700_000_000_000;
const MIN = 60_000;
const begin = (notices: readonly Notice[]): Group => {
  const [first] = notices;
  if (first === undefined) throw new Error('no notice');
  return newGroup(first, { channel: ALERTS, route: 'web', mention: [] });
};
const groupOf = (...notices: Notice[]): Group => notices.reduce(withNotice, begin(notices));

const firing = (at: number, startsAt: number | null = null, fingerprint = 'f1') =>
  notice({ at, alert: { startsAt, fingerprint } });
const resolved = (at: number, startsAt: number | null = null, endsAt: number | null = null, fingerprint = 'f1') =>
  notice({ at, status: 'resolved', alert: { startsAt, endsAt, fingerprint } });

describe('a group', () => {
  it('fires since its first alert began, and is over when the last one ended', () => {
    const open = groupOf(firing(T, T - 5 * MIN), firing(T + MIN, T - 9 * MIN, 'f2'));
    expect(open).toMatchObject({ firing: true, episodes: 1, since: T - 9 * MIN, told: 2, resolvedAt: null });
    const half = withNotice(
      open,
      notice({ at: T + 2 * MIN, alerts: [{ ...alertOf(resolved(T, T - 5 * MIN, T + MIN)) }] }),
    );
    expect(half).toMatchObject({ firing: true });
    expect(countsOf(half)).toEqual({ firing: 1, all: 2 });
    const over = withNotice(half, resolved(T + 9 * MIN, T - 9 * MIN, T + 8 * MIN, 'f2'));
    expect(over).toMatchObject({ firing: false, since: T - 9 * MIN, resolvedAt: T + 8 * MIN, episodes: 1 });
  });

  it('counts a repeated delivery once', () => {
    const news = firing(T);
    expect(groupOf(news, news, news).told).toBe(1);
    expect(groupOf(news, { ...news, at: T + 1 }).told).toBe(2);
  });

  it('is over when its end is told before its beginning', () => {
    const late = groupOf(resolved(T + 1_000, T - 10 * MIN, T), firing(T + 2_000, T - 10 * MIN));
    expect(late).toMatchObject({ firing: false, episodes: 1, since: T - 10 * MIN, resolvedAt: T });
    expect(groupOf(resolved(T + 1_000, T - 10 * MIN, T))).toMatchObject({ firing: false, episodes: 0 });
  });

  it('goes by when news came where the source tells no beginning', () => {
    expect(groupOf(firing(T), resolved(T + 2_000), firing(T + 1_000))).toMatchObject({ firing: false, episodes: 1 });
    expect(groupOf(firing(T), resolved(T + 2_000), firing(T + 3_000))).toMatchObject({ firing: true, episodes: 2 });
  });

  it('fires again when an alert begins anew, and old news of the end of the first time does not end it', () => {
    const [one, two] = [T - 20 * MIN, T - 2 * MIN];
    const again = groupOf(firing(T, one), resolved(T + 1_000, one, T), firing(T + 2_000, two));
    expect(again).toMatchObject({ firing: true, episodes: 2, since: two, resolvedAt: null });
    expect(withNotice(again, resolved(T + 3_000, one, T))).toMatchObject({ alerts: again.alerts });
  });

  it('that began at the same time fires again when that is told long after its end', () => {
    const start = T - 20 * MIN;
    expect(groupOf(firing(T, start), resolved(T + MIN, start, T), firing(T + 5 * MIN, start))).toMatchObject({
      firing: true,
      episodes: 2,
    });
  });

  it('never lasts less than nothing, whatever times are told', () => {
    const times = fc.oneof(fc.constant(null), fc.double({ noNaN: true, noDefaultInfinity: true }));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.boolean(), times, times, fc.integer({ min: 0, max: 1e6 })), { minLength: 1 }),
        (told) => {
          const group = groupOf(
            ...told.map(([isFiring, startsAt, endsAt, later]) =>
              isFiring ? firing(T + later, startsAt) : resolved(T + later, startsAt, endsAt),
            ),
          );
          expect(group.resolvedAt ?? group.since).toBeGreaterThanOrEqual(group.since);
          expect(group.firing).toBe(group.alerts.some(({ status }) => status === 'firing'));
        },
      ),
    );
  });

  it('ends the same in whatever order its news comes, when the source tells beginnings', () => {
    const [one, two] = [T - 50 * MIN, T - 20 * MIN];
    const news = [
      firing(T, one),
      resolved(T + 1_000, one, T - 30 * MIN),
      firing(T + 2_000, two),
      resolved(T + 3_000, two, T),
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(news, { minLength: 4 }), (shuffled) => {
        expect(groupOf(...shuffled)).toMatchObject({ firing: false, told: 4 });
      }),
    );
  });

  it('counts alerts that a notice did not list', () => {
    const group = groupOf(notice({ at: T, more: 40 }));
    expect(countsOf(group)).toEqual({ firing: 41, all: 41 });
    expect(countsOf(withNotice(group, resolved(T + 1_000)))).toEqual({ firing: 0, all: 1 });
  });

  it('keeps a bounded part of endless alerts, those that fire first', () => {
    let group = groupOf(firing(T));
    for (let index = 0; index < 500; index += 1) {
      group = withNotice(
        group,
        notice({ at: T + index, alerts: [{ ...alertOf(resolved(T, null, null, `x${index}`)) }] }),
      );
    }
    expect(group.alerts.length).toBe(400);
    expect(group).toMatchObject({ firing: true, told: 501 });
    expect(group.counted.length).toBeLessThan(200);
  });

  it('is known by source and group alone', () => {
    expect(groupIdOf(notice({ title: 'x' }))).toBe(groupIdOf(notice({ title: 'y', labels: {} })));
    expect(groupIdOf(notice({ source: 'sentry' }))).not.toBe(groupIdOf(notice()));
  });
});

const alertOf = ({ alerts: [alert] }: Notice) => {
  if (alert === undefined) throw new Error('no alert');
  return alert;
};

describe('a look is wanted', () => {
  const look = {
    id: 'r-1',
    host: 'web-7',
    selector: { kind: 'pid', pid: 1 },
    choose: 'likely',
    playbook: 'cpu',
    at: T,
    state: 'done',
  } as const;
  const looked = (group: Group): Group => ({
    ...group,
    looks: [look],
    looked: group.alerts.map(({ id }) => id),
    lookedEpisode: group.episodes,
  });

  it('when it fires first, and not when only its end is heard', () => {
    expect(wantsLook(groupOf(firing(T)), T, 30 * MIN)).toBe(true);
    expect(wantsLook(groupOf(resolved(T)), T, 30 * MIN)).toBe(false);
  });

  it('not again for repeats, and for a new alert or a new beginning only after the cool-down', () => {
    const known = looked(groupOf(firing(T)));
    const repeated = withNotice(known, firing(T + MIN));
    const more = withNotice(known, firing(T + MIN, null, 'f2'));
    const anew = [resolved(T + MIN), firing(T + 2 * MIN)].reduce(withNotice, known);
    expect([repeated, more, anew].map((group) => wantsLook(group, T + 29 * MIN, 30 * MIN))).toEqual([
      false,
      false,
      false,
    ]);
    expect([repeated, more, anew].map((group) => wantsLook(group, T + 31 * MIN, 30 * MIN))).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('not while one has not ended', () => {
    const more = withNotice(looked(groupOf(firing(T))), firing(T + MIN, null, 'f2'));
    expect(wantsLook(withLook(more, 'r-1', { state: 'running' }), T + 59 * MIN, 0)).toBe(false);
    expect(wantsLook(withLook(more, 'r-1', { state: 'running' }), T + 61 * MIN, 0)).toBe(true);
    expect(wantsLook(withLook(more, 'r-1', { state: 'asked' }), T + 359 * MIN, 0)).toBe(false);
    expect(wantsLook(withLook(more, 'r-1', { state: 'asked' }), T + 361 * MIN, 0)).toBe(true);
    expect(wantsLook(withLook(more, 'r-1', { state: 'failed' }), T + 99 * MIN, 0)).toBe(true);
  });
});
