import { WebClient } from '@slack/web-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRateLimiter } from '../../../../infra/sandbox/slack/rate-limits.ts';
import { type LocalSlack, startLocalSlack } from '../../../../infra/sandbox/slack/server.ts';
import { refusalOf, silentLogger, webClient } from './support.ts';

let slack: LocalSlack;
let client: WebClient;

beforeEach(async () => {
  slack = await startLocalSlack();
  client = webClient(slack);
});

afterEach(async () => {
  await slack.close();
});

const post = (text = 'x') => client.chat.postMessage({ channel: slack.channel('ops'), text });
const texts = () => slack.messages('ops').map((message) => message.text);

describe('faults', () => {
  it('answer 429 with Retry-After, then work again', async () => {
    slack.faults.add({ kind: '429', method: 'chat.postMessage', retryAfter: 7 });
    await expect(post()).rejects.toMatchObject({ retryAfter: 7 });
    expect(texts()).toEqual([]);
    await post();
    expect(texts()).toEqual(['x']);
    expect(slack.requests('chat.postMessage').map(({ status, fault }) => [status, fault])).toEqual([
      [429, '429'],
      [200, undefined],
    ]);
  });

  it('answer 500 or another status without doing the work', async () => {
    slack.faults.add({ kind: '500' });
    await expect(post()).rejects.toMatchObject({ statusCode: 500 });
    slack.faults.add({ kind: '500', status: 503 });
    await expect(post()).rejects.toMatchObject({ statusCode: 503 });
    expect(texts()).toEqual([]);
  });

  it('do the work and answer 500: a retrying client posts twice', async () => {
    slack.faults.add({ kind: 'after-effect-500', method: 'chat.postMessage' });
    const retrying = new WebClient(slack.botToken, {
      slackApiUrl: slack.apiUrl,
      retryConfig: { retries: 1, minTimeout: 1 },
      logger: silentLogger(),
    });
    await retrying.chat.postMessage({ channel: slack.channel('ops'), text: 'twice' });
    expect(texts()).toEqual(['twice', 'twice']);
    expect(slack.requests('chat.postMessage')).toMatchObject([
      { status: 500, effect: true },
      { status: 200, effect: true },
    ]);
  });

  it('cut the connection before or after the work', async () => {
    slack.faults.add({ kind: 'drop' });
    await expect(post('lost')).rejects.toThrow();
    slack.faults.add({ kind: 'after-effect-drop' });
    await expect(post('done')).rejects.toThrow();
    expect(texts()).toEqual(['done']);
  });

  it('never answer, before or after the work, until the client gives up', async () => {
    const impatient = new WebClient(slack.botToken, {
      slackApiUrl: slack.apiUrl,
      retryConfig: { retries: 0 },
      timeout: 1_500,
      logger: silentLogger(),
    });
    const say = (text: string) => impatient.chat.postMessage({ channel: slack.channel('ops'), text });
    slack.faults.add({ kind: 'timeout' });
    await expect(say('lost')).rejects.toThrow();
    slack.faults.add({ kind: 'after-effect-timeout' });
    await expect(say('done')).rejects.toThrow();
    expect(texts()).toEqual(['done']);
  });

  it('answer late', async () => {
    let letGo = (): void => {};
    slack.faults.add({
      kind: 'slow',
      match: (args) => args.text === 'late',
      until: new Promise<void>((resolve) => {
        letGo = resolve;
      }),
    });
    const late = post('late');
    await post('quick');
    expect(texts()).toEqual(['quick']);
    letGo();
    await late;
    slack.faults.add({ kind: 'slow', delayMs: 1 });
    await client.auth.test();
    expect(texts()).toEqual(['quick', 'late']);
  });

  it('answer with an error of Slack’s', async () => {
    slack.faults.add({ kind: 'error', error: 'fatal_error' });
    expect((await refusalOf(post())).error).toBe('fatal_error');
  });

  it('strike only what they are told to, as often as they are told to', async () => {
    const placed = slack.faults.add({
      kind: '500',
      method: 'chat.postMessage',
      times: 2,
      match: (args) => args.text === 'unlucky',
    });
    await client.auth.test();
    await post('lucky');
    await expect(post('unlucky')).rejects.toThrow();
    expect(placed.left).toBe(1);
    placed.remove();
    await post('unlucky');
    slack.faults.add({ kind: '500', times: Number.POSITIVE_INFINITY });
    await expect(client.auth.test()).rejects.toThrow();
    await expect(client.auth.test()).rejects.toThrow();
    slack.faults.clear();
    await client.auth.test();
    expect(texts()).toEqual(['lucky', 'unlucky']);
  });

  it('strike uploads too', async () => {
    slack.faults.add({ kind: '500', method: 'upload' });
    const upload = () => client.files.uploadV2({ channel_id: slack.channel('ops'), content: 'x', filename: 'a.txt' });
    await expect(upload()).rejects.toThrow();
    expect(slack.files()).toEqual([]);
    await upload();
    expect(slack.files()).toHaveLength(1);
  });
});

describe('rate limits', () => {
  it('let a burst through and then refuse, for each channel by itself', async () => {
    await slack.close();
    slack = await startLocalSlack({ rateLimits: { postsPerSecond: 0.001, postBurst: 2, tiers: true } });
    client = webClient(slack);
    await post();
    await post();
    await expect(post()).rejects.toMatchObject({ retryAfter: expect.any(Number) });
    expect(texts()).toHaveLength(2);
    await client.chat.postMessage({ channel: slack.channel('alerts'), text: 'elsewhere' });
  });

  it('fill up again with time', () => {
    let now = 0;
    const limiter = createRateLimiter({ postsPerSecond: 1, postBurst: 1, tiers: true }, () => now);
    const take = (method = 'chat.postMessage') => limiter.refuse(method, { channel: 'C1' });
    expect(take()).toBeUndefined();
    expect(take()).toBe(1);
    now = 1000;
    expect(take()).toBeUndefined();
    for (let index = 0; index < 50; index += 1) expect(take('chat.update')).toBeUndefined();
    expect(take('chat.update')).toBe(2);
  });
});
