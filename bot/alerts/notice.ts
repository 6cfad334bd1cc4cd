import { z } from 'zod';
import { AlertSeverity } from '../../infra/alert-routes.ts';

export const Severity = AlertSeverity;
export type Severity = AlertSeverity;

/** A label or annotation: bounded, for it comes from outside. */
const Words = z.record(z.string().max(200), z.string().max(4_000));

/** One alert of a group. */
export const Alert = z.object({
  /** What the source knows this alert by; the same for every repeat of it. */
  fingerprint: z.string().min(1).max(300),
  status: z.enum(['firing', 'resolved']),
  labels: Words,
  annotations: Words,
  /** Milliseconds since 1970; null when the source does not say. */
  startsAt: z.number().nullable(),
  endsAt: z.number().nullable(),
});
export type Alert = z.infer<typeof Alert>;

/** What a source tells with one request, in one form for all of them. Everything in it is untrusted. */
export const Notice = z.object({
  source: z.string().regex(/^[a-z][a-z0-9-]*$/),
  /** The identity of what this is about (group key, incident or issue id), the same from the first firing to the end and when it fires again. Never a text that people write. */
  group: z.string().min(1).max(1_000),
  /** `resolved` only when nothing of the group fires any more. */
  status: z.enum(['firing', 'resolved']),
  severity: Severity,
  title: z.string().min(1).max(1_000),
  /** What all alerts of the group have in common, or the labels of the only one. */
  labels: Words,
  /** Those that the request told, at most so many; `more` says how many others there were. */
  alerts: z.array(Alert).max(200),
  more: z.number().int().min(0),
  /** Where a person reads more at the source; null when there is none. */
  url: z
    .url({ protocol: /^https?$/ })
    .max(2_000)
    .nullable(),
  /** When the request came, milliseconds since 1970. */
  at: z.number(),
});
export type Notice = z.infer<typeof Notice>;

/** The errand that a notice is handed to. */
export const ALERT_ERRAND = 'alert';
