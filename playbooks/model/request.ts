import { z } from 'zod';
import { Impact } from './impact.ts';

/** Names a host of the inventory (or `local`); never an option, a path or an address with shell characters. */
export const HostName = z
  .string()
  .min(1)
  .max(253)
  .regex(
    /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/,
    'a host name has only letters, digits, dots, dashes and underscores',
  );
export type HostName = z.infer<typeof HostName>;

/** A process id as Linux knows it: 1 to 2^22 (proc(5), /proc/sys/kernel/pid_max). */
export const Pid = z.number().int().min(1).max(4_194_304);
export type Pid = z.infer<typeof Pid>;

/** Id of a playbook, probe or cause: lower-case words joined by dashes. */
export const UnitId = z.string().regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
export type UnitId = z.infer<typeof UnitId>;

/** Where a request came from, and where its answer goes. */
export const Origin = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('terminal') }),
  z.object({
    kind: z.literal('slack'),
    team: z.string(),
    channel: z.string(),
    user: z.string(),
    /** The first message of the thread, which shows progress and later the report. */
    threadTs: z.string(),
    /** The message of the thread that shows this look; the first one when absent. */
    messageTs: z.string().optional(),
    /** `follow-up` when a reply or a button in the thread asked, `command` when the slash command did, `alert` when a rule did. */
    via: z.enum(['command', 'follow-up', 'alert']),
    /** The language of who asked, as Slack calls it: `zh-CN`. */
    locale: z.string().max(35).optional(),
    /** Nothing of this look is shown by itself: `handTo` shows what is to be seen of it. */
    quiet: z.boolean().optional(),
    /** The errand of the bot's that its answer is handed to, with `data` and the request's id. */
    handTo: z.object({ errand: UnitId, data: z.record(z.string(), z.unknown()) }).optional(),
  }),
]);
export type Origin = z.infer<typeof Origin>;

/** Options of probes by probe, on top of what the playbook says; the probe's own schema decides whether they are valid. */
export const ProbeOptions = z.record(UnitId, z.record(z.string(), z.unknown()));
export type ProbeOptions = z.infer<typeof ProbeOptions>;

/**
 * A person's yes to what a look may do to one process. The worker checks it at the moment a step begins: nothing that goes beyond
 * it is run, and nothing after `until`.
 */
export const Approval = z.object({
  /** Who said yes, by Slack's id. */
  by: z.string(),
  /** Milliseconds since 1970, by the bot's clock. */
  at: z.number(),
  until: z.number(),
  impacts: z.array(Impact),
  host: HostName,
  pid: Pid,
  /** Of the process that was shown to the approver; absent when no look had identified it yet. Form as in Target. */
  startTime: z.string().regex(/^\d+$/).optional(),
});
export type Approval = z.infer<typeof Approval>;

/** Who asks for what. The one payload that goes from the bot to a worker. */
export const Request = z.object({
  id: z.string().min(8).max(64),
  host: HostName,
  pid: Pid,
  /** Start time of the process that is meant, when it is known: another one under its pid is not looked at. */
  startTime: z.string().regex(/^\d+$/).optional(),
  /** How the process was known when it was looked at before: by these what runs in its place is found if it has gone. */
  was: z
    .object({
      command: z.string().max(20_000),
      unit: z.string().max(300).optional(),
      ports: z.array(z.number().int()).max(200).optional(),
    })
    .optional(),
  /** What led to this process, for a person, when it was not typed: `port:8080`. */
  selector: z.string().max(300).optional(),
  playbook: UnitId,
  /** How long the sampling and tracing phases look, in seconds. Absent: the playbook's own. */
  windowSeconds: z.number().min(0.5).max(60).optional(),
  /** Impacts that need nobody's further yes for this request. */
  allow: z.array(Impact),
  options: ProbeOptions.optional(),
  /** Present when a person had to say yes to some of `allow`. */
  approval: Approval.optional(),
  origin: Origin,
  /** When it was asked, milliseconds since 1970. */
  requestedAt: z.number(),
});
export type Request = z.infer<typeof Request>;
