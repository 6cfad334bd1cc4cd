import type { Telemetry } from 'bullmq';

/** How messages carry the trace that they belong to; BullMQ's own word, so that nobody else has to know BullMQ. */
export type QueueTelemetry = Telemetry;

/** Makes it. Loaded only when there are traces. */
export const openTelemetry = async (tracerName: string): Promise<QueueTelemetry> => {
  const { BullMQOtel } = await import('bullmq-otel');
  return new BullMQOtel({ tracerName });
};

/** As an option of BullMQ's classes; nothing when there are no traces. */
export const withTelemetry = (telemetry: QueueTelemetry | undefined): { telemetry?: QueueTelemetry } =>
  telemetry === undefined ? {} : { telemetry };
