import { z } from 'zod';

/** Where traces go, by OTLP over HTTP. Headers with secrets come by the standard OTEL_EXPORTER_OTLP_HEADERS. */
export const TracingSettings = z.strictObject({
  /** Without the path: `http://collector:4318`. */
  endpoint: z.url({ protocol: /^https?$/ }),
  /** Of a hundred traces so many are kept. */
  percent: z.number().min(0).max(100).default(100),
});
export type TracingSettings = z.infer<typeof TracingSettings>;

/** Tracing that is on. `endpoint` undefined: the standard variables of the environment say where. */
export interface TracingConfig {
  readonly endpoint: string | undefined;
  readonly percent: number;
}

/** Whether and how to trace, by settings and environment; undefined: not at all. */
export const tracingFrom = (
  settings: TracingSettings | undefined,
  env: Readonly<Record<string, string | undefined>>,
): TracingConfig | undefined => {
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return undefined;
  if (settings !== undefined) return settings;
  const given = [env.OTEL_EXPORTER_OTLP_ENDPOINT, env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT];
  return given.some((value) => value !== undefined && value !== '') ? { endpoint: undefined, percent: 100 } : undefined;
};
