import type { App } from '@slack/bolt';
import type { ModalView } from '@slack/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LocalSlack, startLocalSlack } from '../../../../infra/sandbox/slack/server.ts';
import { heard, refusalOf, socketApp } from './support.ts';

let slack: LocalSlack;
let app: App;

beforeEach(async () => {
  slack = await startLocalSlack({ ackTimeoutMs: 30_000, triggerLifetimeMs: 60_000 });
  app = socketApp(slack);
  await app.start();
});

afterEach(async () => {
  await app.stop();
  await slack.close();
});

const MODAL: ModalView = {
  type: 'modal',
  callback_id: 'ask',
  title: { type: 'plain_text', text: 'Diagnose' },
  submit: { type: 'plain_text', text: 'Go' },
  notify_on_close: true,
  private_metadata: 'secret',
  blocks: [
    {
      type: 'input',
      block_id: 'host',
      label: { type: 'plain_text', text: 'Host' },
      element: { type: 'plain_text_input', action_id: 'value' },
    },
    {
      type: 'input',
      block_id: 'playbook',
      optional: true,
      label: { type: 'plain_text', text: 'Playbook' },
      element: { type: 'external_select', action_id: 'playbook-choice', min_query_length: 0 },
    },
  ],
};

describe('modals', () => {
  beforeEach(() => {
    app.command('/diagnose', async ({ ack, client, command }) => {
      await ack();
      await client.views.open({ trigger_id: command.trigger_id, view: MODAL });
    });
    app.options('playbook-choice', async ({ ack, payload }) => {
      const names = ['triage', 'hang', 'cpu'].filter((name) => name.startsWith(payload.value));
      await ack({ options: names.map((name) => ({ text: { type: 'plain_text', text: name }, value: name })) });
    });
  });

  async function openModal() {
    const alice = slack.user('alice');
    await alice.slash('/diagnose', '', 'ops');
    await slack.waitFor(() => alice.modal());
    return alice;
  }

  it('are filled in, sent back with errors, and taken', async () => {
    const values: unknown[] = [];
    app.view('ask', async ({ ack, view, body }) => {
      const host = view.state.values.host?.value?.value;
      if (host === 'nowhere') {
        await ack({ response_action: 'errors', errors: { host: 'no such host' } });
        return;
      }
      await ack();
      values.push({ host, meta: view.private_metadata, user: body.user.id, state: view.state.values.playbook });
    });
    const alice = await openModal();
    expect(await alice.submitView()).toEqual({
      ok: false,
      errors: { host: 'Please complete this required field.' },
    });
    expect(await alice.submitView({ host: 'nowhere' })).toEqual({ ok: false, errors: { host: 'no such host' } });
    expect(alice.modal()).toBeDefined();
    expect((await alice.suggest('playbook-choice', 'h')).map((option) => option.value)).toEqual(['hang']);
    expect(await alice.submitView({ host: 'web-7', 'playbook-choice': 'cpu' })).toEqual({ ok: true });
    expect(alice.modal()).toBeUndefined();
    expect(values).toMatchObject([
      {
        host: 'web-7',
        meta: 'secret',
        user: alice.id,
        state: { 'playbook-choice': { type: 'external_select', selected_option: { value: 'cpu' } } },
      },
    ]);
  });

  it.each([
    ['more than 100', 101, 'x'],
    ['one with a long text', 1, 'x'.repeat(76)],
    ['one without a text', 1, ''],
  ])('are not offered options that Slack would not take: %s', async (_what, count, text) => {
    app.options('bad-choice', async ({ ack }) => {
      await ack({ options: [...Array(count)].map(() => ({ text: { type: 'plain_text', text }, value: 'v' })) });
    });
    const channel = slack.channel('ops');
    const element = { type: 'external_select' as const, action_id: 'bad-choice' };
    const { ts } = await app.client.chat.postMessage({
      channel,
      text: 'which',
      blocks: [{ type: 'actions', elements: [element] }],
    });
    const alice = slack.user('alice');
    await expect(alice.suggest('bad-choice', 'a', { channel, ts: String(ts) })).rejects.toThrow(
      'Slack would not take these options',
    );
  });

  it('are replaced, pushed and cleared by the answer to a submission', async () => {
    const next = (title: string): ModalView => ({
      ...MODAL,
      callback_id: title,
      title: { type: 'plain_text', text: title },
    });
    app.view('ask', async ({ ack }) => ack({ response_action: 'update', view: next('second') }));
    app.view('second', async ({ ack }) => ack({ response_action: 'push', view: next('third') }));
    app.view('third', async ({ ack }) => ack({ response_action: 'clear' }));
    const alice = await openModal();
    await alice.submitView({ host: 'a' });
    expect(alice.modal()).toMatchObject({
      title: { text: 'second' },
      state: { values: { host: { value: { value: 'a' } } } },
    });
    await alice.submitView({ host: 'b' });
    expect(alice.modal()).toMatchObject({ title: { text: 'third' }, previous_view_id: expect.any(String) });
    await alice.submitView({ host: 'c' });
    expect(alice.modal()).toBeUndefined();
  });

  it('tell of their closing when asked to', async () => {
    const closed: string[] = [];
    app.view({ callback_id: 'ask', type: 'view_closed' }, async ({ ack, view }) => {
      await ack();
      closed.push(view.callback_id);
    });
    const alice = await openModal();
    await alice.closeView();
    expect(closed).toEqual(['ask']);
    expect(alice.modal()).toBeUndefined();
  });

  it('are updated by the app while open, unless the hash is old', async () => {
    const alice = await openModal();
    const view = alice.modal();
    if (view === undefined) throw new Error('no modal');
    const changed: ModalView = { ...MODAL, title: { type: 'plain_text', text: 'Changed' } };
    await app.client.views.update({ view_id: view.id, hash: view.hash, view: changed });
    expect(alice.modal()?.title?.text).toBe('Changed');
    const stale = app.client.views.update({ view_id: view.id, hash: view.hash, view: changed });
    expect((await refusalOf(stale)).error).toBe('hash_conflict');
  });

  it('keep a person waiting no longer than the trigger lives', async () => {
    const quick = await startLocalSlack({ triggerLifetimeMs: 0, ackTimeoutMs: 30_000 });
    const slowApp = socketApp(quick);
    const refusals = heard<string>();
    slowApp.command('/diagnose', async ({ ack, client, command }) => {
      await ack();
      // The clock moves on by at least one millisecond.
      const start = Date.now();
      while (Date.now() === start) await new Promise(setImmediate);
      const open = () => client.views.open({ trigger_id: command.trigger_id, view: MODAL });
      refusals.add((await refusalOf(open())).error);
    });
    try {
      await slowApp.start();
      await quick.user('bob').slash('/diagnose', '', 'ops');
      expect(await refusals.until(1)).toEqual(['expired_trigger_id']);
    } finally {
      await slowApp.stop();
      await quick.close();
    }
  });

  it('open once for each trigger', async () => {
    const alice = await openModal();
    const { triggerId } = await alice.slash('/diagnose', '', 'ops');
    await slack.waitFor(() => slack.requests('views.open').length === 2);
    const again = app.client.views.open({ trigger_id: triggerId, view: MODAL });
    expect((await refusalOf(again)).error).toBe('exchanged_trigger_id');
  });
});
