import {
  type Cause,
  type Evidence,
  evidenceLines,
  type Finding,
  type Look,
  type Observation,
  type Probe,
  type Target,
  type Verdict,
} from '../../playbooks/model/index.ts';

/** Everything seen so far, as the judge keeps it. */
export interface SeenSoFar {
  readonly target: Target;
  readonly evidence: readonly Evidence[];
  readonly observations: ReadonlyMap<string, Observation<unknown>>;
}

export interface Judgement {
  /** Best first, those that another explains right behind it; hints under 0.5 last. */
  readonly findings: readonly Finding[];
  readonly ruledOut: readonly { cause: string; why: string }[];
  readonly cannotTell: readonly { cause: string; why: string }[];
  /** Probes that would decide or strengthen something. */
  readonly wanted: ReadonlySet<string>;
}

const HEADLINE = 0.5;
/** A hint from here on speaks against health; below, it is too weak to. */
const HINT = 0.4;
const DECISIVE = 0.9;
const NOT_RUN: Observation<never> = { seen: false, reason: 'not-run', why: 'it was no part of this look' };

/** The view that causes get. `quote` gives the literal line; it throws for a line that is not there, which is a bug. */
export const lookAt = (seen: SeenSoFar): Look => {
  const lines = new Map<string, string[]>();
  return {
    target: seen.target,
    // The registry checked that the observation stored under a probe's id came from that probe's own parser and schema.
    see: <Data>(probe: Probe<Data>) => (seen.observations.get(probe.id) ?? NOT_RUN) as Observation<Data>,
    quote: (evidenceId, line) => {
      let texts = lines.get(evidenceId);
      if (texts === undefined) {
        const evidence = seen.evidence.find((each) => each.id === evidenceId);
        if (evidence === undefined) throw new Error(`there is no evidence ${evidenceId}`);
        texts = evidenceLines(evidence);
        lines.set(evidenceId, texts);
      }
      const text = texts[line - 1];
      if (text === undefined) throw new Error(`evidence ${evidenceId} has no line ${line}`);
      return { evidenceId, line, text };
    },
  };
};

/** What a cause needs to be asked: of each list, one probe is enough. */
const needsOf = ({ needs, needsOneOf }: Cause): (readonly Probe[])[] => [
  ...needs.map((probe) => [probe]),
  ...(needsOneOf === undefined ? [] : [needsOneOf]),
];

/** A cause without its needed observations cannot tell, whatever its rule would say. */
const judgeCause = (cause: Cause, look: Look): Verdict => {
  for (const need of needsOf(cause)) {
    const missing = need.flatMap((probe) => {
      const observation = look.see(probe);
      return observation.seen ? [] : [{ id: probe.id, ...observation }];
    });
    const [first] = missing;
    if (first === undefined || missing.length < need.length) continue;
    const open = missing.find(({ reason }) => reason === 'not-run' || reason === 'not-needed');
    const why = `${first.id}: ${first.why}`;
    return { verdict: 'cannot-tell', why, ...(open === undefined ? {} : { wants: [open.id] }) };
  }
  try {
    return cause.judge(look);
  } catch (error) {
    return {
      verdict: 'cannot-tell',
      why: `its rule failed (${error instanceof Error ? error.message : String(error)})`,
    };
  }
};

/** Best first; a finding that another one explains stands right after it, whatever its own confidence. */
const order = (findings: readonly Finding[], causes: ReadonlyMap<string, Cause>): Finding[] => {
  const byConfidence = [...findings].sort((a, b) => b.confidence - a.confidence);
  const placed: Finding[] = [];
  const explainers = (finding: Finding) =>
    byConfidence.filter(
      (other) =>
        other.cause !== finding.cause &&
        other.confidence >= HEADLINE &&
        causes.get(other.cause)?.explains.includes(finding.cause) === true,
    );
  const place = (finding: Finding, path: readonly Finding[]) => {
    if (placed.some((each) => same(each, finding)) || path.includes(finding)) return;
    const explainer = explainers(finding)[0];
    if (explainer !== undefined) place(explainer, [...path, finding]);
    if (placed.some((each) => same(each, finding))) return;
    placed.push(explainer === undefined ? finding : { ...finding, explainedBy: explainer.cause });
  };
  for (const finding of byConfidence) place(finding, []);
  const main = placed.filter((finding) => finding.confidence >= HEADLINE);
  return [...main, ...placed.filter((finding) => finding.confidence < HEADLINE)];
};

const same = (a: Finding, b: Finding): boolean => a.cause === b.cause && a.title === b.title;

/**
 * Asks every cause whose needed probes the playbook has. `healthy` speaks only when no other finding reaches 0.5.
 * Pure.
 */
export const judge = (
  seen: SeenSoFar,
  causes: ReadonlyMap<string, Cause>,
  probesOfPlaybook: ReadonlySet<string>,
): Judgement => {
  const look = lookAt(seen);
  const asked = [...causes.values()].filter((cause) =>
    needsOf(cause).every((need) => need.some(({ id }) => probesOfPlaybook.has(id))),
  );
  const verdicts = asked.map((cause) => ({ cause, verdict: judgeCause(cause, look) }));
  const findings = verdicts.flatMap(({ cause, verdict }) =>
    verdict.verdict === 'fires'
      ? verdict.findings.map((draft): Finding => ({ cause: cause.id, ...mutable(draft) }))
      : [],
  );
  const sick = findings.some((finding) => finding.cause !== 'healthy' && finding.confidence >= HEADLINE);
  const kept = hedged(findings.filter((finding) => finding.cause !== 'healthy' || !sick));
  const decided = kept.some((finding) => finding.cause !== 'healthy' && finding.confidence >= DECISIVE);
  const wanted = new Set<string>();
  for (const { verdict } of verdicts) {
    if (verdict.verdict === 'clear') continue;
    const open =
      verdict.verdict === 'fires'
        ? verdict.findings.some((each) => each.confidence < DECISIVE && (!decided || each.confidence >= HEADLINE))
        : !decided;
    if (open) for (const id of verdict.wants ?? []) wanted.add(id);
  }
  const say = (kind: 'clear' | 'cannot-tell') =>
    verdicts.flatMap(({ cause, verdict }) =>
      verdict.verdict === kind && cause.id !== 'healthy' ? [{ cause: cause.id, why: verdict.why }] : [],
    );
  const untold = say('cannot-tell');
  const healthy = verdicts.find(({ cause }) => cause.id === 'healthy')?.verdict;
  if (healthy?.verdict === 'cannot-tell' && !sick) untold.unshift({ cause: 'healthy', why: healthy.why });
  return { findings: order(kept, causes), ruledOut: say('clear'), cannotTell: untold, wanted };
};

/** Who is hinted to have a fault cannot be surely healthy: the two together are no more than certain. */
const hedged = (findings: readonly Finding[]): Finding[] => {
  const hint = Math.max(0, ...findings.filter((each) => each.cause !== 'healthy').map((each) => each.confidence));
  if (hint < HINT || hint >= HEADLINE) return [...findings];
  const most = Math.round((1 - hint) * 100) / 100;
  return findings.map((finding) =>
    finding.cause === 'healthy' && finding.confidence > most
      ? { ...finding, confidence: most, summary: `${finding.summary} A hint speaks against it; it stands below.` }
      : finding,
  );
};

const mutable = (draft: {
  confidence: number;
  title: string;
  summary: string;
  evidence: readonly Finding['evidence'][number][];
  fixes: readonly Finding['fixes'][number][];
  related?: readonly { readonly pid: number; readonly why: string }[];
}): Omit<Finding, 'cause'> => ({
  // Sums of hundredths carry a tail of binary digits that nobody wants to read.
  confidence: Math.round(draft.confidence * 100) / 100,
  title: draft.title,
  summary: draft.summary,
  evidence: [...draft.evidence],
  fixes: [...draft.fixes],
  ...(draft.related === undefined ? {} : { related: [...draft.related] }),
});
