import { context, SpanStatusCode, trace as standard } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  NodeTracerProvider,
  ParentBasedSampler,
  type ReadableSpan,
  type SpanExporter,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-node';
import type { TracingConfig } from './settings.ts';
import type { Trace } from './trace.ts';

/** The tracer that the queue's own spans come from. */
export const QUEUE_TRACER = 'straceback.queue';

/** What may be said of a span. Everything else (options of jobs, reasons, results) may hold what nobody shall read here. */
const SAID =
  /^(?:straceback\..+|bullmq\.queue\.(?:name|operation)|bullmq\.job\.(?:name|attempts\.made)|exception\.type)$/;

const said = <T>(attributes: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(attributes).filter(([name]) => SAID.test(name)));

/** The queue's housekeeping: it belongs to no request. INTERNAL is 0 in OpenTelemetry's SpanKind. */
const isHousekeeping = (span: ReadableSpan): boolean =>
  span.instrumentationScope.name === QUEUE_TRACER && span.kind === 0;

/** The span without anybody's text: errors keep their class and lose their words. */
const bare = (span: ReadableSpan): ReadableSpan =>
  Object.create(span, {
    attributes: { value: said(span.attributes) },
    status: { value: { code: span.status.code } },
    events: {
      value: span.events.map((event) => ({ ...event, attributes: said(event.attributes ?? {}) })),
    },
  });

const barely = (exporter: SpanExporter): SpanExporter => ({
  export: (spans, done) => exporter.export(spans.filter((span) => !isHousekeeping(span)).map(bare), done),
  shutdown: () => exporter.shutdown(),
  ...(exporter.forceFlush === undefined ? {} : { forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve() }),
});

/** Tracing that runs. */
export interface Tracing {
  readonly trace: Trace;
  /** Sends what is left, in bounded time. */
  readonly close: () => Promise<void>;
}

const CLOSE_MS = 5_000;

/** Starts to send traces. A collector that is away costs nothing but the traces. */
export const openTracing = ({ endpoint, percent }: TracingConfig, version: string): Tracing => {
  const exporter = new OTLPTraceExporter(
    endpoint === undefined ? {} : { url: `${endpoint.replace(/\/+$/, '')}/v1/traces` },
  );
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'straceback', 'service.version': version }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(percent / 100) }),
    spanProcessors: [new BatchSpanProcessor(barely(exporter), { scheduledDelayMillis: 1_000 })],
  });
  provider.register();
  const tracer = standard.getTracer('straceback', version);
  return {
    trace: {
      span: (name, attributes, work) => {
        const span = tracer.startSpan(name, { attributes: { ...attributes } });
        return context.with(standard.setSpan(context.active(), span), async () => {
          try {
            return await work((more) => void span.setAttributes({ ...more }));
          } catch (error) {
            span.setStatus({ code: SpanStatusCode.ERROR });
            span.setAttribute('straceback.error', error instanceof Error ? error.name : 'unknown');
            throw error;
          } finally {
            span.end();
          }
        });
      },
    },
    close: async () => {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, CLOSE_MS);
      });
      await Promise.race([provider.shutdown().catch(() => undefined), late]);
      clearTimeout(timer);
    },
  };
};
