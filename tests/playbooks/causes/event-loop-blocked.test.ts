import { describe, expect, it } from 'vitest';
import { eventLoopBlocked } from '../../../playbooks/causes/event-loop-blocked.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { clearOn, expectNeverThrowsOn, firingOn, quoted, untoldOn } from '../../support/cause-tests.ts';
import { changedLook, firstFinding, loadLook, verdictOn } from '../../support/record-look.ts';

const probes = await loadProbes();

const judged = (name: string, change: (text: string) => string, probe = 'py-stacks', without: readonly string[] = []) =>
  verdictOn(eventLoopBlocked, changedLook(loadLook(name), probe, change), probes, without);

it('is one call when its stack stays the same, however often it wakes, and a trace makes that sure', () => {
  const often = changedLook(loadLook('event-loop-blocked/order_gateway'), 'sample', (text) =>
    text.replace(/switches \d+ voluntary/g, 'switches 60 voluntary'),
  );
  const verdict = verdictOn(eventLoopBlocked, often, probes);
  expect(verdict).toMatchObject({ verdict: 'fires', wants: ['strace'] });
  expect(firstFinding(verdict).confidence).toBeCloseTo(0.8, 2);
});

describe('a callback that waits', () => {
  it('for an answer is named with its line, its way there and who else waits', () => {
    const finding = firingOn(eventLoopBlocked, 'event-loop-blocked/order_gateway');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toContain('The asyncio event loop of the main thread');
    expect(finding.title).toContain(
      '`Prices.of` (`/srv/app/event-loop-blocked/order_gateway.py:20`) waits in recvfrom',
    );
    expect(finding.summary).toContain('for all of the 3 s');
    expect(finding.summary).toContain('`Gateway.serve`');
    expect(quoted(finding)).toMatch(/in recvfrom \d+ times/);
    expect(finding.fixes[0]?.code).toContain('asyncio.to_thread(of, *args)');
    expect(finding.fixes[1]?.code).toContain('PYTHONASYNCIODEBUG=1');
  });

  it('in eventlet is told to be patched', () => {
    const finding = firingOn(eventLoopBlocked, 'event-loop-blocked/mail_relay');
    expect(finding.title).toMatch(/eventlet.*`Relay\.deliver`.*clock_nanosleep/);
    expect(finding.fixes[0]?.code).toContain('eventlet.monkey_patch()');
  });

  it('in gevent for half a second at a time', () => {
    const finding = firingOn(eventLoopBlocked, 'event-loop-blocked/meter_reader');
    expect(finding.title).toContain('gevent');
    expect(finding.summary).toMatch(/in \d+ % of the samples, about 0\.[3-6]\d* s at a time/);
    expect(finding.fixes[1]?.code).toContain('GEVENT_MAX_BLOCKING_TIME');
  });

  it('is less sure when it is only now and then, and no fault when it is short', () => {
    const now = (share: string, switches: number) =>
      verdictOn(
        eventLoopBlocked,
        changedLook(
          changedLook(loadLook('event-loop-blocked/meter_reader'), 'sample', (text) =>
            text.replace(/switches \d+ voluntary/, `switches ${switches} voluntary`),
          ),
          'py-stacks',
          (text) => text.replace(/stack \d+ of (\d+)\n(?= {4}settle)/, `stack ${share} of $1\n`),
        ),
        probes,
      );
    const some = firstFinding(now('12', 4));
    expect(some.confidence).toBeLessThan(0.9);
    expect(some.summary).toContain('Inferred');
    expect(now('50', 900)).toMatchObject({ verdict: 'clear' });
  });

  it.each([
    [
      '/usr/lib/python3/dist-packages/twisted/internet/base.py',
      'mainLoop',
      'twisted/internet/base.py',
      'runUntilCurrent',
      'twisted',
      'deferToThread',
    ],
    [
      '/usr/lib/python3/dist-packages/tornado/ioloop.py',
      'IOLoop.start',
      'tornado/ioloop.py',
      'IOLoop._run_callback',
      'tornado',
      'to_thread',
    ],
  ])('in a loop of %s', (file, name, callerFile, caller, kind, fix) => {
    const verdict = judged('event-loop-blocked/order_gateway', (text) =>
      text
        .replaceAll(/BaseEventLoop\._run_once {2}\S+/g, `${name}  ${file}:99`)
        .replaceAll(/Handle\._run {2}\S+/g, `${caller}  /usr/lib/python3/dist-packages/${callerFile}:88`),
    );
    const finding = firstFinding(verdict);
    expect(finding.title).toContain(`The ${kind} event loop`);
    expect(finding.fixes[0]?.code).toContain(fix);
  });

  it('under uvloop, whose loop has no frames', () => {
    const verdict = judged('event-loop-blocked/order_gateway', (text) =>
      text
        .replaceAll(/^ {4}(BaseEventLoop|Handle)\.\w+ {2}.*\n/gm, '')
        .replaceAll(
          /^ {4}<module> {2}/gm,
          '    run  /usr/lib/python3.11/asyncio/runners.py:190  (def at 160)\n    <module>  ',
        ),
    );
    expect(firstFinding(verdict).title).toContain('The uvloop event loop');
  });
});

it('of a server on uvloop is blocked by the program’s part of a request', () => {
  const finding = firingOn(eventLoopBlocked, 'event-loop-blocked/rates_api');
  expect(finding.confidence).toBeGreaterThan(0.9);
  expect(finding.title).toContain('The uvloop event loop');
  expect(finding.title).toContain('`app`');
  const sanic = (text: string): string =>
    text
      .replace(/^ {4}Runner\.run {2}.*\n/m, '')
      .replace(
        / {4}run {2}\/usr\/lib\/python3\.11\/asyncio\S+/,
        '    serve  /usr/lib/python3/dist-packages/sanic/server/runners.py:88',
      );
  expect(firstFinding(judged('event-loop-blocked/rates_api', sanic)).title).toContain('The uvloop event loop');
});

it('of gevent may be a function that was spawned: the hub is suspended meanwhile', () => {
  const finding = firingOn(eventLoopBlocked, 'event-loop-blocked/rate_refresh');
  expect(finding.title).toMatch(/gevent.*`refresh`/);
});

describe('a callback that computes', () => {
  it('is sure when the loop did not turn and the trace shows no question for events', () => {
    const finding = firingOn(eventLoopBlocked, 'event-loop-blocked/report_api');
    expect(finding.confidence).toBeGreaterThanOrEqual(0.9);
    expect(finding.title).toContain('`Reports.yearly`');
    expect(finding.summary).toContain('did not begin another turn');
    expect(finding.fixes[0]?.code).toContain('run_in_executor(process_pool, yearly');
  });

  it('asks for a trace when there is none', () => {
    const verdict = verdictOn(eventLoopBlocked, loadLook('event-loop-blocked/report_api'), probes, ['strace']);
    expect(verdict).toMatchObject({ verdict: 'fires', wants: ['strace'] });
    expect(firstFinding(verdict).confidence).toBeCloseTo(0.8, 2);
  });

  it('is a hint when nobody is there to wait', () => {
    const verdict = judged('event-loop-blocked/report_api', (text) => text.replace(/^tcp.*\n/gm, ''), 'sockets');
    expect(firstFinding(verdict).confidence).toBeLessThan(0.5);
  });

  it('is one of many when the loop turns', () => {
    const verdict = judged(
      'event-loop-blocked/report_api',
      (text) =>
        text
          .replace(
            /^( {4}frame \d+ BaseEventLoop\._run_once .*\n)/m,
            '$1      end_time: float, 40 changes in 60 looks, 40 up, 0 down, 0 back, from 1.5 to 4.5\n',
          )
          .replace(/(still:.*) {2}end_time/g, '$1'),
      'py-stacks',
      ['strace'],
    );
    expect(verdict).toMatchObject({ verdict: 'clear', why: expect.stringContaining('its callbacks come back') });
  });
});

describe('a loop that is free', () => {
  it.each(['healthy/asyncio_server', 'healthy/asyncio_loaded', 'healthy/green_server', 'healthy/numeric_job'])(
    '%s',
    (name) => {
      expect(clearOn(eventLoopBlocked, name)).toMatch(/callbacks come back|no thread runs an event loop/);
    },
  );
});

it('cannot tell without Python stacks', () => {
  expect(untoldOn(eventLoopBlocked, 'event-loop-blocked/order_gateway', ['py-stacks']).why).not.toBe('');
});

it('never throws', () =>
  expectNeverThrowsOn(eventLoopBlocked, ['event-loop-blocked/order_gateway', 'healthy/green_server']));
