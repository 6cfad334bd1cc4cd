import { createHmac } from 'node:crypto';
import type { Ack, Attempt, Transport } from './delivery.ts';

/** `X-Slack-Signature` of a body (docs.slack.dev, verifying requests): HMAC-SHA256 over version, timestamp and raw body. */
export function signatureOf(signingSecret: string, timestamp: string, body: string): string {
  return `v0=${createHmac('sha256', signingSecret).update(`v0:${timestamp}:${body}`).digest('hex')}`;
}

/** The headers that Slack puts on a request to an app, at the given time in seconds. */
export function signedHeaders(signingSecret: string, body: string, contentType: string, seconds: number) {
  const timestamp = String(seconds);
  return {
    'content-type': contentType,
    'user-agent': 'Slackbot 1.0 (+https://api.slack.com/robots)',
    'x-slack-request-timestamp': timestamp,
    'x-slack-signature': signatureOf(signingSecret, timestamp, body),
  };
}

/**
 * Proves that an app listens at the address, as Slack does when a request URL is saved: it must give the challenge back.
 * Throws when it does not.
 */
export async function verifyRequestUrl(url: string, signingSecret: string, token: string): Promise<void> {
  const challenge = createHmac('sha256', signingSecret).update(url).digest('hex');
  const body = JSON.stringify({ type: 'url_verification', token, challenge });
  const headers = signedHeaders(signingSecret, body, 'application/json', nowSeconds());
  const response = await fetch(url, { method: 'POST', headers, body });
  const text = await response.text();
  if (!response.ok || !text.includes(challenge)) {
    throw new Error(`${url} did not answer Slack's challenge (status ${response.status})`);
  }
}

/** Sends to a request URL, signed; the answer's body is the acknowledgement's payload. */
export function createHttpTransport(urlOf: () => string, signingSecret: string): Transport {
  return {
    async send(attempt: Attempt, timeoutMs: number): Promise<Ack> {
      const { body, contentType } = encode(attempt);
      const headers: Record<string, string> = signedHeaders(signingSecret, body, contentType, nowSeconds());
      if (attempt.number > 0) {
        headers['x-slack-retry-num'] = String(attempt.number);
        headers['x-slack-retry-reason'] = attempt.reason === 'timeout' ? 'http_timeout' : 'http_error';
      }
      try {
        const response = await fetch(urlOf(), {
          method: 'POST',
          headers,
          body,
          signal: AbortSignal.timeout(timeoutMs),
        });
        const text = await response.text();
        if (!response.ok) return { acked: false, reason: 'http_error' };
        return { acked: true, payload: payloadOf(text) };
      } catch (error) {
        const timedOut = error instanceof Error && error.name === 'TimeoutError';
        return { acked: false, reason: timedOut ? 'timeout' : 'no_connection' };
      }
    },
  };
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

function encode(attempt: Attempt): { body: string; contentType: string } {
  const form = 'application/x-www-form-urlencoded';
  if (attempt.type === 'events_api') return { body: JSON.stringify(attempt.payload), contentType: 'application/json' };
  if (attempt.type === 'interactive') {
    return { body: new URLSearchParams({ payload: JSON.stringify(attempt.payload) }).toString(), contentType: form };
  }
  const fields = Object.entries(attempt.payload).map(([key, value]): [string, string] => [key, String(value)]);
  return { body: new URLSearchParams(fields).toString(), contentType: form };
}

/** Slack takes JSON or a plain text as the answer to a command. */
function payloadOf(text: string): unknown {
  if (text === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    return { text };
  }
}
