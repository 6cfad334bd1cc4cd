import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  type Cause,
  defineCause,
  defineProbe,
  type Evidence,
  type Observation,
  type Probe,
  type Verdict,
} from '../../../playbooks/model/index.ts';
import { judge, lookAt, type SeenSoFar } from '../../../workers/stages/judge.ts';

const probe = (id: string, phase: Probe['phase'] = 1) =>
  defineProbe({
    id,
    title: id,
    phase,
    impacts: ['none'],
    ptraces: false,
    needs: { privilege: 'none' },
    limits: { seconds: () => 1, bytes: 10, endWith: 'TERM' },
    options: z.record(z.string(), z.unknown()),
    data: z.object({ n: z.number() }),
    command: () => ({ argv: ['true'] }),
    parse: () => ({ ok: true, data: { n: 1 } }),
  });

const alpha = probe('alpha');
const beta = probe('beta', 3);

const cause = (id: string, verdict: Verdict | (() => Verdict), more: Partial<Cause> = {}): Cause =>
  defineCause({
    id,
    title: id,
    needs: [alpha],
    explains: [],
    judge: () => (typeof verdict === 'function' ? verdict() : verdict),
    ...more,
  });

const fires = (confidence: number, title = `t${confidence}`): Verdict => ({
  verdict: 'fires',
  findings: [{ confidence, title, summary: '', evidence: [], fixes: [] }],
});

const evidence: Evidence = {
  id: 'E1',
  probe: 'alpha',
  command: 'alpha',
  end: 'exited',
  exit: 0,
  startedAt: 0,
  seconds: 0,
  stdout: new TextEncoder().encode('first\nsecond'),
  stderr: new Uint8Array(),
  dropped: 0,
};

const seenAlpha: Observation<unknown> = { seen: true, evidenceId: 'E1', data: { n: 1 }, partly: [] };
const seen = (observations: [string, Observation<unknown>][] = [['alpha', seenAlpha]]): SeenSoFar => ({
  target: { host: 'local', pid: 1, startTime: '1' },
  evidence: [evidence],
  observations: new Map(observations),
});

const ask = (causes: Cause[], state = seen(), probes = ['alpha', 'beta']) =>
  judge(state, new Map(causes.map((each) => [each.id, each])), new Set(probes));

describe('judge', () => {
  it('puts the best finding first and hints last', () => {
    const { findings } = ask([cause('hint', fires(0.3)), cause('good', fires(0.95)), cause('fair', fires(0.6))]);
    expect(findings.map((each) => each.cause)).toEqual(['good', 'fair', 'hint']);
  });

  it('puts the cause that explains another first, even when it is less certain', () => {
    const { findings } = ask([cause('storm', fires(0.95)), cause('deadlock', fires(0.7), { explains: ['storm'] })]);
    expect(findings.map((each) => each.cause)).toEqual(['deadlock', 'storm']);
    expect(findings[1]?.explainedBy).toBe('deadlock');
  });

  it('does not let a hint explain a finding, nor a circle of explanations lose one', () => {
    const hint = ask([cause('storm', fires(0.95)), cause('deadlock', fires(0.3), { explains: ['storm'] })]);
    expect(hint.findings.map((each) => each.cause)).toEqual(['storm', 'deadlock']);
    const circle = ask([cause('a', fires(0.8), { explains: ['b'] }), cause('b', fires(0.7), { explains: ['a'] })]);
    expect(circle.findings.map((each) => each.cause).sort()).toEqual(['a', 'b']);
  });

  it('with one of the probes that it needs one of is asked, without all of them it cannot tell', () => {
    const either = cause('x', fires(1), { needs: [], needsOneOf: [alpha, beta] });
    const gone: Observation<unknown> = { seen: false, reason: 'no-permission', why: 'not permitted' };
    const idle: Observation<unknown> = { seen: false, reason: 'not-needed', why: 'not needed' };
    expect(ask([either], seen([['alpha', seenAlpha]]), ['alpha']).findings).toHaveLength(1);
    expect(ask([either], seen(), ['gamma'])).toMatchObject({ findings: [], cannotTell: [] });
    const neither = ask(
      [either],
      seen([
        ['alpha', gone],
        ['beta', idle],
      ]),
    );
    expect(neither.findings).toEqual([]);
    expect(neither.cannotTell).toEqual([{ cause: 'x', why: 'alpha: not permitted' }]);
    expect([...neither.wanted]).toEqual(['beta']);
  });

  it('says cannot tell for a cause whose observation is missing, and wants the probe only if it was not run', () => {
    const needsBeta = cause('x', fires(1), { needs: [beta] });
    const open = ask([needsBeta], seen([['beta', { seen: false, reason: 'not-needed', why: 'not needed' }]]));
    expect(open.findings).toEqual([]);
    expect(open.cannotTell).toEqual([{ cause: 'x', why: 'beta: not needed' }]);
    expect([...open.wanted]).toEqual(['beta']);
    const refused = ask([needsBeta], seen([['beta', { seen: false, reason: 'no-permission', why: 'not permitted' }]]));
    expect(refused.cannotTell).toHaveLength(1);
    expect(refused.wanted.size).toBe(0);
  });

  it('does not ask causes whose probes are no part of the playbook', () => {
    const { cannotTell, findings } = ask([cause('x', fires(1), { needs: [beta] })], seen(), ['alpha']);
    expect({ cannotTell, findings }).toEqual({ cannotTell: [], findings: [] });
  });

  it('lets healthy speak only when nothing else reaches one half', () => {
    expect(ask([cause('healthy', fires(0.95)), cause('x', fires(0.5))]).findings.map((each) => each.cause)).toEqual([
      'x',
    ]);
    const well = ask([cause('healthy', fires(0.95)), cause('x', fires(0.4))]);
    expect(well.findings.map((each) => each.cause)).toEqual(['healthy', 'x']);
  });

  it('wants no more once a finding is decisive, except to strengthen another finding of at least one half', () => {
    const unsure: Verdict = { verdict: 'cannot-tell', why: 'needs beta', wants: ['beta'] };
    expect([...ask([cause('u', unsure)]).wanted]).toEqual(['beta']);
    expect(ask([cause('u', unsure), cause('d', fires(0.9))]).wanted.size).toBe(0);
    const second: Verdict = { ...(fires(0.6) as Extract<Verdict, { verdict: 'fires' }>), wants: ['beta'] };
    expect([...ask([cause('s', second), cause('d', fires(0.9))]).wanted]).toEqual(['beta']);
  });

  it('takes a rule that throws as cannot tell, and goes on', () => {
    const broken = cause('broken', () => {
      throw new Error('division by zero');
    });
    const { cannotTell, ruledOut } = ask([broken, cause('fine', { verdict: 'clear', why: 'all is well' })]);
    expect(cannotTell).toEqual([{ cause: 'broken', why: 'its rule failed (division by zero)' }]);
    expect(ruledOut).toEqual([{ cause: 'fine', why: 'all is well' }]);
  });

  it('quotes the literal line and refuses one that is not there', () => {
    const look = lookAt(seen());
    expect(look.quote('E1', 2)).toEqual({ evidenceId: 'E1', line: 2, text: 'second' });
    expect(() => look.quote('E1', 3)).toThrow('no line 3');
    expect(() => look.quote('E9', 1)).toThrow('no evidence E9');
  });
});
