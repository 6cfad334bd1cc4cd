import { describe, expect, it } from 'vitest';
import { examine, expectFinding, expectHealthy, headlines, pythons, startStanding } from '../../support/incident.ts';

const HERE = 'python-heap-growth';

const finding = async (program: string, python: string, atLeast: number) => {
  const { pid } = await startStanding(`${HERE}/${program}.py`, { python });
  return expectFinding(await examine(pid), HERE, atLeast);
};

describe.each(pythons('3.8.18', '3.13.0'))('%s', (python) => {
  it('names a dict that keeps an answer for every request, and the line that adds to it', async () => {
    const found = await finding('quote_api', python, 0.9);
    expect(found.title).toMatch(/dict `__main__\.ANSWERS` grows by .*`answer` \(`.*quote_api\.py:25`\) adds to it/);
    expect(found.summary).toContain('__main__.Quote');
    expect(found.fixes[0]?.code).toContain('len(ANSWERS)');
    expect(found.evidence.map((quote) => quote.text).join('\n')).toMatch(/ {2}sizes 0\.00:\d+/);
  });

  it('names the attribute that keeps sessions which have ended', async () => {
    const found = await finding('chat_hub', python, 0.9);
    expect(found.title).toMatch(
      /list `.*\.sessions`(?:, a local variable of `.*`,?)? grows by .*`visit` \(`.*chat_hub\.py:26`\)/,
    );
  });
});

describe.each(pythons('3.10.13', '3.12.1').slice(-1))('%s', (python) => {
  it('names the function whose results functools.lru_cache keeps without a bound', async () => {
    const found = await finding('translations', python, 0.9);
    expect(found.title).toMatch(/cache that functools\.lru_cache keeps for `__main__\.Catalog\.render`/);
    expect(found.fixes[0]?.code).toContain('maxsize=10_000');
  });

  it('names a registry of a class', async () => {
    expect((await finding('plugins', python, 0.9)).title).toMatch(/set `__main__\.Subscriber\.known` grows/);
  });

  it('names the list of mappings, whose memory is no Python object', async () => {
    const found = await finding('clip_store', python, 0.8);
    expect(found.title).toMatch(/list `__main__\.CLIPS` grows .*`cut` \(`.*clip_store\.py:17`\) adds to it/);
    expect(found.summary).toContain('mmap.mmap');
  });

  it('names the list that takes one large buffer about once a second', async () => {
    const found = await finding('frame_archive', python, 0.6);
    expect(found.title).toMatch(/list `.*\.frames`.* grows by .*`keep` \(`.*frame_archive\.py:12`\) adds to it/);
    expect(found.confidence).toBeLessThan(0.9);
  });

  it('names a queue whose consumer is slower than its producer, and says what is inferred', async () => {
    const found = await finding('thumbnails', python, 0.6);
    expect(found.confidence).toBeLessThan(0.9);
    expect(found.title).toMatch(/deque `__main__\.pending\.queue` grows .*`scan`/);
    expect(found.summary).toContain('Inferred: that this is no passing burst');
    expect(found.fixes[0]?.code).toContain('maxsize=1000');
  });
});

it('names what is kept of clients that have gone', async () => {
  const { pid } = await startStanding(`${HERE}/session_crowd.py`, { args: ['20', '300', 'leak'] });
  const found = expectFinding(await examine(pid), HERE, 0.9);
  expect(found.title).toMatch(
    /dict `__main__\.registry\.live` grows .*`opened` \(`.*session_crowd\.py:38`\) adds to it/,
  );
});

describe('what looks alike', () => {
  it('a server whose clients become more, and that keeps something for each of them, is a hint at most', async () => {
    const { pid } = await startStanding(`${HERE}/session_crowd.py`, { args: ['12000', '400'] });
    expectHealthy(await examine(pid));
  });

  it.each([
    'healthy_price_table',
    'healthy_recent',
    'healthy_batches',
    'healthy_spool',
    'healthy_warming',
    'healthy_shards',
    'healthy_last_frames',
    'healthy_parts',
  ])('%s is given no fault', async (program) => {
    const { pid } = await startStanding(`${HERE}/${program}.py`);
    expectHealthy(await examine(pid));
  });

  it('a dictionary that is being loaded is a hint at most', async () => {
    const { pid } = await startStanding(`${HERE}/healthy_loading.py`);
    const report = await examine(pid);
    expect(headlines(report).filter((each) => each.cause !== 'healthy')).toEqual([]);
  });
});
