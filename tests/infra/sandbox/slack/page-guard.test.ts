import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LocalSlack, startLocalSlack } from '../../../../infra/sandbox/slack/server.ts';
import { webClient } from './support.ts';

let slack: LocalSlack;

beforeAll(async () => {
  slack = await startLocalSlack();
});

afterAll(async () => {
  await slack.close();
});

interface Answer {
  status: number;
  headers: Record<string, unknown>;
  text: string;
}

/** A request with any headers, also those that `fetch` does not let through. */
function ask(path: string, headers: Record<string, string> = {}, body?: string): Promise<Answer> {
  const { port } = new URL(slack.pageUrl);
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port, path, method: body === undefined ? 'GET' : 'POST', headers },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
        });
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

const say = JSON.stringify({ do: 'say', user: 'alice', text: 'forged', channel: 'ops' });
const json = { 'content-type': 'application/json' };

describe('the page’s side', () => {
  it('is not reachable under a foreign name', async () => {
    const rebound = { host: `evil.example:${new URL(slack.pageUrl).port}` };
    for (const path of ['/', '/page/app.js', '/page-api/state?user=alice', '/files/F1']) {
      expect((await ask(path, rebound)).status).toBe(403);
    }
  });

  it('takes no acts from another site', async () => {
    const { port } = new URL(slack.pageUrl);
    const acts: Record<string, string>[] = [
      { ...json, origin: 'http://evil.example' },
      { ...json, origin: 'null' },
      { ...json, origin: 'http://127.0.0.1:1' },
      { ...json, 'sec-fetch-site': 'cross-site' },
      { ...json, 'sec-fetch-site': 'same-site' },
      { 'content-type': 'text/plain' },
      { 'content-type': 'application/x-www-form-urlencoded' },
      {},
    ];
    for (const headers of acts) expect((await ask('/page-api/act', headers, say)).status).toBe(403);
    expect(slack.messages('ops')).toEqual([]);
    const own = { ...json, origin: `http://127.0.0.1:${port}`, 'sec-fetch-site': 'same-origin' };
    expect((await ask('/page-api/act', own, say)).status).toBe(200);
    expect(slack.messages('ops')).toHaveLength(1);
  });

  it('answers a wrong act with a sentence', async () => {
    const wrong = async (body: unknown) => {
      const answer = await ask('/page-api/act', json, JSON.stringify(body));
      expect(answer.status).toBe(400);
      return answer.text;
    };
    expect(await wrong({ do: 'say', user: 'nobody', text: 'x', channel: 'ops' })).toContain('no user nobody');
    expect(await wrong({ do: 'say', user: 'dana', text: 'x', channel: 'ops' })).toContain('dana is not in #ops');
    expect(await wrong({ do: 'submit', user: 'bob', values: {} })).toContain('bob has no modal open');
    await wrong({ do: 'fly', user: 'bob' });
    expect((await ask('/page-api/state?user=nobody')).status).toBe(400);
  });

  it('serves its own files and no others', async () => {
    expect((await ask('/')).headers['content-security-policy']).toContain("default-src 'none'");
    expect((await ask('/page/app.js')).headers['content-type']).toContain('javascript');
    for (const path of ['/page/../server.ts', '/page/..%2fserver.ts', '/page/server.ts', '/page/none.js', '/else']) {
      expect((await ask(path)).status).toBe(404);
    }
  });

  it('never lets an uploaded file run', async () => {
    await webClient(slack).files.uploadV2({
      channel_id: slack.channel('ops'),
      content: '<script>alert(1)</script>',
      filename: 'report.html',
    });
    const file = slack.files().at(-1);
    const answer = await ask(`/files/${file?.id}`);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-disposition': "attachment; filename*=UTF-8''report.html",
      'content-security-policy': expect.stringContaining('sandbox'),
      'x-content-type-options': 'nosniff',
    });
    expect((await ask('/files/F404')).status).toBe(404);
  });

  it('tells nobody of what is only for another', async () => {
    const client = webClient(slack);
    await client.chat.postEphemeral({ channel: slack.channel('ops'), user: slack.user('bob').id, text: 'for bob' });
    await client.chat.postMessage({ channel: slack.user('bob').id, text: 'direct to bob' });
    const seenBy = async (who: string) => (await ask(`/page-api/state?user=${who}`)).text;
    expect(await seenBy('bob')).toContain('for bob');
    expect(await seenBy('bob')).toContain('direct to bob');
    expect(await seenBy('alice')).not.toContain('for bob');
    expect(await seenBy('alice')).not.toContain('direct to bob');
    expect(await seenBy('dana')).not.toContain('"name":"ops"');
    expect(await seenBy('bob')).not.toContain(slack.botToken);
  });
});
