import { existsSync, readdirSync } from 'node:fs';
import fc from 'fast-check';
import type { Cause, Probe } from '../../../playbooks/model/index.ts';
import { parseEnd } from '../../../workers/ending/end.parse.ts';
import { parseList } from '../../../workers/finding/list.parse.ts';
import { createFrameReader } from '../../../workers/ssh/frames.ts';
import { damaged, fixture, fixtureFolder, fixtureNames, shuffled } from '../../support/parser-safety.ts';
import { LOOKS, loadLook, lookFrom, lookNames, type TakenLook } from '../../support/record-look.ts';
import { evidenceFrom, stepFor } from '../../support/run-probe.ts';
import { NASTY, type Target } from '../target.ts';

/** The largest sample that is damaged many times: what matters is in the form, not in the size. */
const MOST_SAMPLE = 200_000;

const samplesOf = (probe: string): Buffer[] => {
  const own = existsSync(fixtureFolder(probe)) ? fixtureNames(probe).map((name) => fixture(probe, name)) : [];
  const recorded = lookNames('healthy')
    .flatMap((name) => loadLook(name).evidence)
    .filter((each) => each.probe === probe)
    .map((each) => Buffer.from(each.stdout));
  return [...own, ...recorded].filter((sample) => sample.length > 0 && sample.length < MOST_SAMPLE);
};

const bytesLike = (samples: readonly Buffer[]): fc.Arbitrary<Uint8Array> => {
  const wild = fc.uint8Array({ maxLength: 4000 });
  return samples.length === 0 ? wild : fc.oneof(wild, damaged(samples), shuffled(samples));
};

/** What every probe's parser makes of any output. */
export const probeTargets = (probes: ReadonlyMap<string, Probe>): Target[] =>
  [...probes.values()].map((probe) => {
    const step = stepFor(probe, { pid: 1, startTime: '1' });
    return {
      name: `probe/${probe.id}`,
      inputs: bytesLike(samplesOf(probe.id)),
      run: (bytes) => {
        const parsed = probe.parse(evidenceFrom(probe.id, bytes), step);
        if (!parsed.ok) {
          if (parsed.why.length === 0) throw new Error('it does not say why it could not read this');
          return;
        }
        const data = probe.data.safeParse(parsed.data);
        if (!data.success) throw new Error(`its data is not what its schema says: ${data.error.message}`);
      },
    };
  });

/** Beside the sick ones, looks at healthy processes: most of the evidence that causes see is theirs. */
const lookOf = (view: Buffer, kinds: readonly string[]): TakenLook => {
  const names = lookNames(kinds[view.readUInt8(0) % kinds.length] ?? '');
  return loadLook(names[view.readUInt8(1) % names.length] ?? '');
};

/** What all causes make of a look with evidence that was damaged on its way. The input: which look, where, and what is put there. */
export const ruleTarget = (causes: ReadonlyMap<string, Cause>, probes: ReadonlyMap<string, Probe>): Target => {
  const kinds = readdirSync(LOOKS).sort();
  const damage = (input: Uint8Array): TakenLook => {
    const view = Buffer.concat([input, Buffer.alloc(16)]);
    const look = lookOf(view, kinds);
    const which = view.readUInt8(2) % Math.max(1, look.evidence.length);
    const evidence = look.evidence.map((each, index) => {
      if (index !== which) return each;
      const bytes = Buffer.from(each.stdout);
      const start = view.readUInt32LE(3) % (bytes.length + 1);
      const rest = bytes.subarray(start + view.readUInt16LE(7));
      return { ...each, stdout: Buffer.concat([bytes.subarray(0, start), input.subarray(16), rest]) };
    });
    return { ...look, evidence };
  };
  return {
    name: 'rules/causes',
    inputs: fc.uint8Array({ minLength: 16, maxLength: 80 }),
    run: (input) => {
      const look = lookFrom(damage(input), probes);
      for (const cause of causes.values()) {
        const verdict = cause.judge(look);
        if (verdict.verdict === 'fires' && verdict.findings.length === 0) throw new Error(`${cause.id} finds nothing`);
        if (verdict.verdict !== 'fires' && verdict.why.length === 0) throw new Error(`${cause.id} does not say why`);
      }
    },
  };
};

const NONCE = '0123456789abcdef0123456789abcdef';
const frameTexts = fc.constantFrom(
  `${NONCE} ready 1 0 /tmp/x\n`,
  `\n${NONCE} step 1 exited 0 5 3 0 0 0\nabc`,
  `\n${NONCE} step 2 target-gone 1 5 0 0 2 9\nab`,
  `\n${NONCE} step 3 exited 999 99999999999 999999999999 1 1 1\n`,
  `${NONCE} refused no room\n`,
  `${NONCE} `,
  '\n',
);

/** What is said by the runner on a host, and by the scripts that no probe carries. */
export const hostTargets: readonly Target[] = [
  {
    name: 'host/frames',
    inputs: fc
      .array(fc.oneof(frameTexts.map(Buffer.from), fc.uint8Array({ maxLength: 300 }), NASTY.map(Buffer.from)), {
        maxLength: 30,
      })
      .map((pieces) => Buffer.concat(pieces)),
    run: (bytes) => {
      const reader = createFrameReader(NONCE, { garbage: 10_000, of: () => ({ stdout: 5_000, stderr: 5_000 }) });
      let held = 0;
      for (let at = 0; at < bytes.length; at += 1 + (at % 61)) {
        for (const word of reader.push(bytes.subarray(at, at + 1 + (at % 61)))) {
          if (word.kind === 'frame') held += word.frame.stdout.length + word.frame.stderr.length;
        }
      }
      if (held > bytes.length) throw new Error('it gave more bytes than came');
      if (reader.heard().length > 310) throw new Error('what it heard is not bounded');
    },
  },
  {
    name: 'host/process-list',
    inputs: fc
      .array(
        fc.oneof(
          fc.constantFrom(
            'boot 1 100 4',
            'self 1',
            'p 1 S 2 100 1 1 10 one',
            'p 2 S 1 100 1 1 10 two',
            'p 3 S 2 100 1 1 10 conmon',
            'a 3 0 conmon\u0002-c\u0002till\u0002-n\u0002web',
            'c 1 0::/till',
            'c 2 1:name=systemd:/a.service\u00010::/',
            'i 1 7',
            'o 2 100 box',
            'k box web',
            'l 1 80',
            'f 1 1',
            'n 0 root',
            't 1 100 2 2',
            'end w',
          ),
          NASTY,
        ),
        {
          maxLength: 40,
        },
      )
      .map((lines) => Buffer.from(['list w', ...lines].join('\n'))),
    run: (bytes) => void parseList(bytes, 'w'),
  },
  {
    name: 'host/how-it-ended',
    inputs: fc.oneof(fc.uint8Array({ maxLength: 3000 }), NASTY.map(Buffer.from)),
    run: (bytes) => void parseEnd(bytes, 7),
  },
];
