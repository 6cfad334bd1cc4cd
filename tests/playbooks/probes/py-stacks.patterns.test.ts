import { afterEach, expect, it } from 'vitest';
import { pyStacks } from '../../../playbooks/probes/py-stacks.ts';
import { pythons } from '../../support/incident.ts';
import { endProcesses, startPython } from '../../support/live-process.ts';
import { runProbe } from '../../support/run-probe.ts';

afterEach(endProcesses);

/** Each way to call a compiled pattern, on a text that keeps it busy for ever. */
const WAYS: readonly (readonly [way: string, method: string])[] = [
  ['re.compile(PATTERN).match(TEXT)', 'match'],
  ['re.search(PATTERN, TEXT)', 'search'],
  ['bound(TEXT)', 'match'],
  ['re.sub(PATTERN, "x" * 50, TEXT)', 'sub'],
];

const SOURCE = `# -*- coding: utf-8 -*-
import re, sys
PATTERN = u'^(\\\\w+\\\\s?)*é$'
TEXT = u'a' * 45 + u'!'
bound = re.compile(PATTERN).match
def go():
    sys.stdout.write('ready\\n'); sys.stdout.flush()
    WAY
go()`;

it.each(pythons('2.7.18', '3.6.15', '3.8.18', '3.10.13', '3.12.1', '3.13.0'))(
  '%s: the call of a pattern is read',
  async (python) => {
    for (const [way, method] of WAYS) {
      const live = await startPython(SOURCE.replace('WAY', way), [], { python });
      const { parsed } = await runProbe(pyStacks, { pid: live.pid, windowSeconds: 0.6 });
      await endProcesses();
      if (!parsed.ok) throw new Error(parsed.why);
      const call = parsed.data.threads[0]?.motion?.frames.at(-1)?.matching;
      expect(call, way).toMatchObject({ method, subject: { length: 46 } });
      if (!python.includes('2.7')) expect(call?.pattern, way).toBe('^(\\w+\\s?)*é$');
    }
  },
);
