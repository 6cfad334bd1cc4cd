import { beforeAll, describe, expect, it } from 'vitest';
import { bufferedDownload } from '../../../playbooks/causes/buffered-download.ts';
import type { Probe } from '../../../playbooks/model/index.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, untoldOn } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, lookNames, verdictOn } from '../../support/record-look.ts';

let probes: ReadonlyMap<string, Probe>;
beforeAll(async () => {
  probes = await loadProbes();
});

const changed = (name: string, probe: string, change: (text: string) => string) =>
  verdictOn(bufferedDownload, changedLook(loadLook(name), probe, change), probes);

describe('fires', () => {
  it('for a worker in requests.get, with the function, the peer, figures, and code for this call', () => {
    const finding = firingOn(bufferedDownload, 'buffered-download/warm_cache');
    expect(finding.confidence).toBe(0.93);
    expect(finding.title).toMatch(
      /^The main thread, in `Warmer\.warm` \(`\/srv\/app\/buffered-download\/warm_cache\.py:20`\), loads a whole download from 127\.0\.0\.1:\d+ into memory: \+\d+ MiB in 2 s$/,
    );
    expect(finding.summary).toMatch(/resident memory grew by \d+ MiB, .* while \d+ MiB \(\d+ MiB a second\) came in/);
    expect(finding.summary).toContain('`requests`, which was not told to stream (`Response.content`');
    expect(finding.summary).toMatch(/At this rate the host is out of memory in \d+ min/);
    expect(quoted(finding)).toMatch(/^memory \d+: resident/);
    expect(quoted(finding)).toMatch(/received \d+ of \d+ bytes/);
    expect(quoted(finding)).toMatch(/Response\.content/);
    expect(finding.fixes.map((fix) => fix.code).join('\n')).toMatch(
      /warm_cache\.py:20, Warmer\.warm\nwith session\.get\(url, stream=True[\s\S]*> LARGEST[\s\S]*session\.head[\s\S]*"curl"/,
    );
  });

  it('for the thread of a pool that reads with urllib', () => {
    const finding = firingOn(bufferedDownload, 'buffered-download/mirror_sync');
    expect(finding.confidence).toBe(0.93);
    expect(finding.title).toMatch(/^Thread \d+ \(`ThreadPoolExecutor-0_\d`\), in `take_over`/);
    expect(finding.fixes[0]?.code).toContain('answer.read(1 << 20)');
  });

  it('for parts of a raw socket that are kept', () => {
    const finding = firingOn(bufferedDownload, 'buffered-download/feed_import');
    expect(finding.confidence).toBe(0.93);
    expect(finding.title).toContain('in `Feed.import_all`');
  });

  it('for the task of an event loop that awaits a body', () => {
    const finding = firingOn(bufferedDownload, 'buffered-download/asset_fetch');
    expect(finding.confidence).toBe(0.93);
    expect(finding.title).toMatch(/^A task, in `fetch`/);
    expect(finding.fixes[0]?.code).toContain('answer.content.iter_chunked(1 << 20)');
  });

  it('less surely when the tasks of the loop were not seen, and says so', () => {
    const finding = firstFinding(
      changed('buffered-download/asset_fetch', 'py-stacks', (text) =>
        text.replace(/^asyncio tasks [\s\S]*?^end$/m, 'end'),
      ),
    );
    expect(finding.confidence).toBe(0.85);
    expect(finding.summary).toContain('Inferred: that a task of its event loop collects what comes in');
  });

  it('for a master, about the worker that does it', () => {
    const finding = firingOn(bufferedDownload, 'buffered-download/master');
    expect(finding.confidence).toBe(0.75);
    expect(finding.title).toMatch(/^Its child \d+ loads a whole download/);
    expect(finding.related).toHaveLength(1);
    expect(finding.title).toContain(String(finding.related?.[0]?.pid));
  });

  it('without Python stacks, less surely', () => {
    const finding = firingOn(bufferedDownload, 'buffered-download/feed_import', ['py-stacks']);
    expect(finding.confidence).toBe(0.75);
    expect(finding.summary).toContain('who reads it was not seen');
    expect(firingOn(bufferedDownload, 'buffered-download/warm_cache', ['py-stacks']).confidence).toBe(0.85);
  });

  it('less surely for the first MiB of what may be small', () => {
    const finding = firstFinding(
      changed('buffered-download/warm_cache', 'socket-rates', (text) =>
        text.replace(/ of \d+ bytes, sent/g, ' of 6000000 bytes, sent'),
      ),
    );
    expect(finding.confidence).toBe(0.75);
  });

  it('names the group that ends first, and when', () => {
    const finding = firstFinding(
      changed('buffered-download/warm_cache', 'identify', (text) =>
        text.replace(/cgroup: limit none, used \d+ bytes/, 'cgroup: limit 536870912 bytes, used 268435456 bytes'),
      ),
    );
    expect(finding.summary).toMatch(
      /At this rate its control group, which may have 512 MiB, is out of memory in \d+ s \(256 MiB are left\)/,
    );
  });
});

describe('a compressed body', () => {
  const swollen = (text: string) =>
    text.replace(/received \d+ of \d+ bytes, sent 0/g, 'received 400000 of 900000 bytes, sent 0');

  it('is told by who reads it, when memory grows by a multiple of what comes', () => {
    const finding = firstFinding(changed('buffered-download/warm_cache', 'socket-rates', swollen));
    expect(finding.confidence).toBe(0.85);
    expect(finding.summary).toMatch(/\d+ times as much stays/);
    expect(finding.summary).toContain('Inferred: that the body is compressed');
  });

  it('is not guessed at where nobody is seen to read a body', () => {
    expect(changed('buffered-download/feed_import', 'socket-rates', swollen).verdict).toBe('clear');
  });
});

it('says that parts are kept where they are asked for in parts', () => {
  const finding = firstFinding(
    changed('buffered-download/warm_cache', 'py-stacks', (text) =>
      text.replace(/^ {4}(Response\.content|Session\.\w+) .*\n/gm, ''),
    ),
  );
  expect(finding.summary).toContain('`requests` in parts, which are kept');
});

describe('hints, and no more, when', () => {
  it('it asks between answers: it may keep many small ones', () => {
    const finding = firstFinding(
      changed('buffered-download/feed_import', 'socket-rates', (text) =>
        text.replace(/sent 0 of/g, 'sent 9000 of').replace(/spoke \d+ ms/g, 'spoke 3 ms'),
      ),
    );
    expect(finding.confidence).toBeLessThanOrEqual(0.55);
    expect(finding.summary).toContain('and not many answers that it keeps');
  });

  it('it writes as much as it receives', () => {
    const finding = firstFinding(
      changed('buffered-download/warm_cache', 'sample', (text) => text.replace(/wchar \d+/, 'wchar 39000000')),
    );
    expect(finding.confidence).toBe(0.45);
  });
});

describe('is clear', () => {
  it('of a download that goes to disk', () => {
    expect(clearOn(bufferedDownload, 'healthy/stream_to_disk')).toMatch(/MiB came in and did not stay/);
  });

  it('of many answers of which the last are kept', () => {
    clearOn(bufferedDownload, 'healthy/chart_cache');
  });

  it('of memory that grows without the network', () => {
    expect(
      changed('buffered-download/warm_cache', 'socket-rates', (text) =>
        text.replace(/received \d+ of \d+/g, 'received 20 of 400'),
      ).verdict,
    ).toBe('clear');
  });

  it('of an upload: what its clients send it', () => {
    expect(
      changed('buffered-download/feed_import', 'socket-rates', (text) => text.replace(/ client: /g, ' server: '))
        .verdict,
    ).toBe('clear');
  });
});

describe('cannot tell', () => {
  it('without rates', () => {
    expect(untoldOn(bufferedDownload, 'buffered-download/warm_cache', ['socket-rates']).wants).toEqual([
      'socket-rates',
    ]);
  });

  it('in a window that was cut', () => {
    expect(
      changed('buffered-download/warm_cache', 'socket-rates', (text) =>
        text.replace(/^window: \d\.\d+ s/m, 'window: 0.200 s'),
      ).verdict,
    ).toBe('cannot-tell');
  });
});

it('never throws', () => {
  expectNeverThrowsOn(bufferedDownload, lookNames('buffered-download'));
});
