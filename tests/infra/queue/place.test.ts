import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BadRedisUrl, placeName, readRedisUrl } from '../../../infra/queue/place.ts';

describe('an address of Redis', () => {
  test('of one server', () => {
    expect(readRedisUrl('redis://cache:7000/3')).toEqual({
      kind: 'standalone',
      nodes: [{ host: 'cache', port: 7000 }],
      db: 3,
    });
    expect(readRedisUrl('redis://')).toMatchObject({ nodes: [{ host: '127.0.0.1', port: 6379 }], db: 0 });
    expect(readRedisUrl('rediss://me:p%40ss%2Fw:x@[::1]:6380')).toEqual({
      kind: 'standalone',
      nodes: [{ host: '::1', port: 6380 }],
      db: 0,
      username: 'me',
      password: 'p@ss/w:x',
      tls: {},
    });
  });

  test('of sentinels and of a cluster', () => {
    expect(readRedisUrl('redis+sentinel://:pw@s1,s2:26380/the-master/2')).toEqual({
      kind: 'sentinel',
      nodes: [
        { host: 's1', port: 26_379 },
        { host: 's2', port: 26_380 },
      ],
      master: 'the-master',
      db: 2,
      password: 'pw',
    });
    expect(readRedisUrl('rediss+cluster://a:1,b:2,c')).toEqual({
      kind: 'cluster',
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
        { host: 'c', port: 6379 },
      ],
      db: 0,
      tls: {},
    });
  });

  test.each([
    'http://x',
    'redis://a,b',
    'redis+sentinel://a:1',
    'redis+cluster://a:1/2',
    'redis://a:99999',
    'redis://a/b',
    'redis://a:0',
    'redis://u:%zz@a',
    '',
  ])('%s is refused', (url) => {
    expect(() => readRedisUrl(url)).toThrow(BadRedisUrl);
  });

  test('whatever is given: a place or a sentence, and no password in either', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.constantFrom('redis', 'rediss', 'redis+sentinel', 'redis+cluster'),
        (junk, scheme) => {
          const url = `${scheme}://who:hunter2secret@${junk}`;
          try {
            expect(placeName(readRedisUrl(url))).not.toContain('hunter2secret');
          } catch (error) {
            expect(error).toBeInstanceOf(BadRedisUrl);
            expect(String(error)).not.toContain('hunter2secret');
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
