import type { Finding, Report, ReportFigures } from './model/index.ts';

/** A number of a process in two looks. `changed` is after minus before. */
export interface FigureChange {
  readonly name: keyof ReportFigures;
  readonly before: number;
  readonly after: number;
  readonly changed: number;
}

/** A finding that is in both looks. */
export interface KeptFinding {
  readonly cause: string;
  readonly before: Finding;
  readonly after: Finding;
}

/** How many live objects of a type there are, and how many bytes they take with their tables. */
export interface TypeSize {
  readonly objects: number;
  readonly bytes: number;
}

/** A type in two looks. Null where a look told only of bigger types: then it had little of this one. */
export interface TypeChange {
  readonly type: string;
  readonly before: TypeSize | null;
  readonly after: TypeSize | null;
  /** Bytes after minus before; what was too little to be told counts as nothing. */
  readonly grew: number;
}

/** What is different between two looks. */
export interface ReportDiff {
  readonly before: Report;
  readonly after: Report;
  /** `same`: one process. `restarted`: another one, with the same pid or not, on the same host. `other`: on another host. */
  readonly process: 'same' | 'restarted' | 'other';
  /** Seconds from the start of the first look to that of the second. */
  readonly seconds: number;
  readonly came: readonly Finding[];
  /** Findings of the first look that the second one rules out, with the reason. */
  readonly went: readonly { readonly finding: Finding; readonly why: string | null }[];
  /** Findings of the first look that the second one could not check, with the reason. */
  readonly unchecked: readonly { readonly finding: Finding; readonly why: string }[];
  readonly stayed: readonly KeptFinding[];
  /** What both looks measured. */
  readonly figures: readonly FigureChange[];
  /** Most growth first, then what shrank; empty without two heaps. */
  readonly types: readonly TypeChange[];
}

/** What a heap says of its types, as far as it is compared. */
export interface HeapTypes {
  /** All types are there, and not only the biggest ones. */
  readonly complete: boolean;
  readonly types: readonly {
    readonly name: string;
    readonly objects: number;
    readonly bytes: number;
    readonly tableBytes: number;
  }[];
}

const HEALTHY = 'healthy';

/** The same finding in both looks: of the same cause, by its title where a cause found several, else in their order. */
const pairs = (before: readonly Finding[], after: readonly Finding[]): KeptFinding[] => {
  const left = [...after];
  const take = (index: number): Finding | undefined => (index < 0 ? undefined : left.splice(index, 1)[0]);
  const found = new Map<Finding, Finding>();
  for (const finding of before) {
    const same = take(left.findIndex((each) => each.cause === finding.cause && each.title === finding.title));
    if (same !== undefined) found.set(finding, same);
  }
  for (const finding of before) {
    if (found.has(finding)) continue;
    const like = take(left.findIndex((each) => each.cause === finding.cause));
    if (like !== undefined) found.set(finding, like);
  }
  return before.flatMap((finding) => {
    const other = found.get(finding);
    return other === undefined ? [] : [{ cause: finding.cause, before: finding, after: other }];
  });
};

const faults = (report: Report): Finding[] => report.findings.filter(({ cause }) => cause !== HEALTHY);

const isFigure = (figures: ReportFigures, name: string): name is keyof ReportFigures => Object.hasOwn(figures, name);

const figureChanges = (before: ReportFigures = {}, after: ReportFigures = {}): FigureChange[] =>
  Object.keys(before).flatMap((name) => {
    if (!isFigure(before, name)) return [];
    const [first, second] = [before[name], after[name]];
    if (first === undefined || second === undefined) return [];
    return [{ name, before: first, after: second, changed: second - first }];
  });

/** Types that differ between two heaps, most growth in bytes first. */
const typeChanges = (before: HeapTypes | null, after: HeapTypes | null): TypeChange[] => {
  if (before === null || after === null) return [];
  const [first, second] = [sizesOf(before), sizesOf(after)];
  return (
    [...new Set([...first.sizes.keys(), ...second.sizes.keys()])]
      .map((type): TypeChange => {
        const [was, is] = [first.of(type), second.of(type)];
        return { type, before: was, after: is, grew: (is?.bytes ?? 0) - (was?.bytes ?? 0) };
      })
      .filter((each) => each.grew !== 0 || each.before?.objects !== each.after?.objects)
      // What one look was too full to tell may be as big as the least that it told.
      .filter((each) => each.before !== null || (each.after?.bytes ?? 0) > first.least)
      .filter((each) => each.after !== null || (each.before?.bytes ?? 0) > second.least)
      .sort((a, b) => b.grew - a.grew)
  );
};

/** The sizes of a heap by type, and the least bytes that it tells of. */
const sizesOf = ({ types, complete }: HeapTypes) => {
  const sizes = new Map(
    types.map((each) => [each.name, { objects: each.objects, bytes: each.bytes + each.tableBytes }]),
  );
  const of = (type: string): TypeSize | null => sizes.get(type) ?? (complete ? { objects: 0, bytes: 0 } : null);
  return { sizes, of, least: Math.min(...[...sizes.values()].map(({ bytes }) => bytes)) };
};

const processOf = (before: Report, after: Report): ReportDiff['process'] => {
  if (before.target.host !== after.target.host) return 'other';
  const same = before.target.pid === after.target.pid && before.target.startTime === after.target.startTime;
  return same ? 'same' : 'restarted';
};

/**
 * What changed from one look to another one: findings that came, went or stayed, what was measured in both, and Python
 * objects by type when both have a heap. A finding that the second look had no means to see is not one that went. Pure.
 */
export const reportDiff = (
  before: Report,
  after: Report,
  heaps: { readonly before: HeapTypes | null; readonly after: HeapTypes | null } = { before: null, after: null },
): ReportDiff => {
  const stayed = pairs(faults(before), faults(after));
  const kept = new Set(stayed.flatMap((pair) => [pair.before, pair.after]));
  const lost = faults(before).filter((finding) => !kept.has(finding));
  const ruledOut = new Map(after.ruledOut.map(({ cause, why }) => [cause, why]));
  const unknown = new Map(after.cannotTell.map(({ cause, why }) => [cause, why]));
  const seenStill = new Set(after.findings.map(({ cause }) => cause));
  const gone = (cause: string) => ruledOut.has(cause) || seenStill.has(cause);
  return {
    before,
    after,
    process: processOf(before, after),
    seconds: (Date.parse(after.startedAt) - Date.parse(before.startedAt)) / 1_000,
    came: faults(after).filter((finding) => !kept.has(finding)),
    went: lost
      .filter(({ cause }) => gone(cause))
      .map((finding) => ({ finding, why: ruledOut.get(finding.cause) ?? null })),
    unchecked: lost
      .filter(({ cause }) => !gone(cause))
      .map((finding) => ({
        finding,
        why: unknown.get(finding.cause) ?? `the playbook ${after.playbook} does not look for it`,
      })),
    stayed,
    figures: figureChanges(before.figures, after.figures),
    types: typeChanges(heaps.before, heaps.after),
  };
};
