import { beforeAll, describe, expect, it } from 'vitest';
import { LookFailed, type Playbook, Request } from '../../../playbooks/model/index.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { plan } from '../../../workers/stages/plan.ts';

let probes: Awaited<ReturnType<typeof loadProbes>>;
beforeAll(async () => {
  probes = await loadProbes();
});

const playbook: Playbook = {
  id: 'files',
  title: 'Files',
  description: 'What is open.',
  windowSeconds: 3,
  steps: [
    { probe: 'identify', options: {} },
    { probe: 'lsof', when: 'always', options: { pattern: '/var' } },
  ],
};

const lsofOptions = (asked?: Request['options']) =>
  plan(playbook, probes, asked)
    .get(1)
    ?.find((step) => step.probe.id === 'lsof')?.options;

describe('options of a request', () => {
  it('come on top of those of the playbook', () => {
    expect(lsofOptions()).toEqual({ pattern: '/var' });
    expect(lsofOptions({})).toEqual({ pattern: '/var' });
    expect(lsofOptions({ lsof: { pattern: '; reboot' } })).toEqual({ pattern: '; reboot' });
  });

  it.each([
    [{ lsof: { pattern: 'x'.repeat(201) } }, /^lsof does not take what was asked for \(pattern\)/],
    [{ lsof: { pattern: ['x'] } }, /^lsof does not take what was asked for \(pattern\)/],
    [{ lsof: { argv: 'rm' } }, /^lsof does not take what was asked for/],
    [{ strace: { seconds: 1 } }, /^The playbook files has no step strace/],
  ])('that a probe does not take end the look with a sentence: %o', (asked, sentence) => {
    let thrown: unknown;
    try {
      lsofOptions(asked);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(LookFailed);
    expect(thrown).toMatchObject({ code: 'bad-request', message: expect.stringMatching(sentence) });
  });

  it('travel with the request', () => {
    const request = {
      id: 'r-12345678',
      host: 'web-7',
      pid: 7,
      playbook: 'lsof',
      allow: [],
      options: { lsof: { pattern: 'a b' } },
      origin: { kind: 'terminal' },
      requestedAt: 0,
    };
    expect(Request.parse(JSON.parse(JSON.stringify(request)))).toEqual(request);
    expect(Request.safeParse({ ...request, options: { '../x': {} } }).success).toBe(false);
  });
});
