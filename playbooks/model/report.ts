import { z } from 'zod';
import { Finding } from './finding.ts';
import { UnitId } from './request.ts';

export const ReportTarget = z.object({
  host: z.string(),
  pid: z.number().int(),
  startTime: z.string(),
  command: z.string(),
  /** `CPython 3.11.2`, or the executable's name. */
  runtime: z.string(),
  /** The systemd service or scope that it belongs to; absent for none. */
  unit: z.string().optional(),
  /** Id or name of the container that it runs in. */
  container: z.string().optional(),
  /** Its process id as it is seen inside that container. */
  pidInside: z.number().int().optional(),
  /** TCP ports that it listens on, ascending; absent when its sockets were not seen. */
  ports: z.array(z.number().int()).optional(),
  /** What it was found by when its pid was not typed: `port:8080`. */
  selector: z.string().optional(),
});
export type ReportTarget = z.infer<typeof ReportTarget>;

/** One line of the evidence list; the bytes travel apart from it. */
export const EvidenceEntry = z.object({
  id: z.string(),
  probe: UnitId,
  /** The process that was looked at, when it is a related one and not the target. */
  pid: z.number().int().optional(),
  command: z.string(),
  exit: z.number().int().nullable(),
  seconds: z.number(),
  bytes: z.number().int(),
  truncated: z.boolean(),
});
export type EvidenceEntry = z.infer<typeof EvidenceEntry>;

/** Another process of the same host that a finding pointed at, and what a harmless look at it found. */
export const RelatedReport = z.object({
  pid: z.number().int(),
  /** Why it was looked at. */
  why: z.string(),
  /** Null when it could not be looked at. */
  command: z.string().nullable(),
  /** As in a report; empty when nothing was found, or when `failure` says why there was no look. */
  findings: z.array(Finding),
  /** Why it could not be looked at, one sentence; null when it was. */
  failure: z.string().nullable(),
});
export type RelatedReport = z.infer<typeof RelatedReport>;

/** Measures of the process, for curves and comparisons. What was not read is absent; nothing is a guess. */
export const ReportFigures = z.object({
  /** Per cent of one processor over the window: 250 is two and a half processors. */
  cpuPercent: z.number().optional(),
  /** Resident memory, at the end of the window where one was watched. */
  rssKib: z.number().optional(),
  swapKib: z.number().optional(),
  threads: z.number().int().optional(),
  /** Open descriptors, and how many may be open (absent: no limit, or not read). */
  fds: z.number().int().optional(),
  fdLimit: z.number().int().optional(),
  sockets: z.number().int().optional(),
  children: z.number().int().optional(),
  /** Seconds since the process started, at the beginning of the look. */
  ageSeconds: z.number().optional(),
  /** Page faults that waited for a disk, and what went from and to storage, a second, over the window. */
  majorFaultsPerSecond: z.number().optional(),
  readKibPerSecond: z.number().optional(),
  writtenKibPerSecond: z.number().optional(),
});
export type ReportFigures = z.infer<typeof ReportFigures>;

/** The output of the tool that was asked for, as far as a message holds it; the whole is in the evidence. */
export const ShownOutput = z.object({
  probe: UnitId,
  /** Null when it has no output; then `why` says why. */
  evidenceId: z.string().nullable(),
  /** Why there is nothing to show, or what is missing; null when all is there. */
  why: z.string().nullable(),
  lines: z.array(z.string()),
  /** `lines` are not the beginning but the probe's own summary of the whole. */
  summary: z.boolean(),
  /** How many lines of output there are, without what only says how the tool was run. */
  total: z.number().int(),
});
export type ShownOutput = z.infer<typeof ShownOutput>;

/** What the answer is made of: all that a person is told, in every output form. */
export const Report = z.object({
  id: z.string(),
  target: ReportTarget,
  playbook: UnitId,
  /** ISO 8601, UTC. */
  startedAt: z.string(),
  seconds: z.number(),
  /** Best first; those under 0.5 are hints. Empty or the one cause `healthy` for a healthy process. */
  findings: z.array(Finding),
  ruledOut: z.array(z.object({ cause: UnitId, why: z.string() })),
  cannotTell: z.array(z.object({ cause: UnitId, why: z.string() })),
  caveats: z.array(z.string()),
  impact: z.object({
    /** The longest time that a step is known to have kept the target from running, in ms; 0 when nothing stopped it. */
    longestStallMs: z.number(),
    steps: z.array(z.object({ probe: UnitId, impact: z.string(), seconds: z.number() })),
  }),
  evidence: z.array(EvidenceEntry),
  /** How resident memory divides, one line: `304 MiB resident: 277 MiB free in malloc (91 %), …`. Absent when not read. */
  memory: z.string().optional(),
  /** Absent in reports of earlier versions. */
  figures: ReportFigures.optional(),
  /** When one tool was asked for: what it said. */
  shown: ShownOutput.optional(),
  /** Processes that the findings point at, looked at harmlessly. Absent when there are none. */
  related: z.array(RelatedReport).optional(),
});
export type Report = z.infer<typeof Report>;
