import type { ModalView } from '@slack/types';
import { describe, expect, it } from 'vitest';
import { browserForFile } from '../../../support/browser.ts';
import { openSlackPage } from './page.parts.ts';
import { heard } from './support.ts';

const browser = browserForFile();

describe('the page', () => {
  it('presses buttons, after asking where the button asks', async () => {
    const { slack, app, page, channelLog } = await openSlackPage(browser);
    const pressed = heard<string>();
    app.action(/.*/, async ({ ack, body, respond }) => {
      await ack();
      if (body.type !== 'block_actions') return;
      const [action] = body.actions;
      pressed.add(`${action?.action_id} ${JSON.stringify(action)}`);
      if (action?.action_id === 'core') await respond({ replace_original: true, text: 'core taken', blocks: [] });
    });
    await app.start();
    await app.client.chat.postMessage({
      channel: slack.channel('ops'),
      text: 'report',
      blocks: [
        {
          type: 'actions',
          elements: [
            { type: 'button', action_id: 'again', text: { type: 'plain_text', text: 'Look again' }, value: 'id-7' },
            {
              type: 'button',
              action_id: 'core',
              text: { type: 'plain_text', text: 'Take a core…' },
              confirm: {
                title: { type: 'plain_text', text: 'Stop the process?' },
                text: { type: 'mrkdwn', text: 'For about *3 s*.' },
                confirm: { type: 'plain_text', text: 'Take it' },
                deny: { type: 'plain_text', text: 'Leave it' },
              },
            },
            {
              type: 'static_select',
              action_id: 'pick',
              placeholder: { type: 'plain_text', text: 'Which' },
              options: [{ text: { type: 'plain_text', text: 'Worker 2' }, value: 'w2' }],
            },
          ],
        },
      ],
    });
    await page.getByRole('button', { name: 'Look again' }).click();
    expect((await pressed.until(1)).at(-1)).toContain('"value":"id-7"');
    await page.getByLabel('Which').selectOption({ label: 'Worker 2' });
    expect((await pressed.until(2)).at(-1)).toContain('"value":"w2"');
    await page.getByRole('button', { name: 'Take a core…' }).click();
    await page.getByRole('dialog', { name: 'Stop the process?' }).getByRole('button', { name: 'Leave it' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(pressed.all).toHaveLength(2);
    await page.getByRole('button', { name: 'Take a core…' }).click();
    await page.getByRole('button', { name: 'Take it' }).click();
    await channelLog.getByText('core taken').waitFor();
    expect(await page.getByRole('button', { name: 'Look again' }).count()).toBe(0);
  });

  it('fills in a modal: errors, search, update and submission', async () => {
    const { slack, app, page, type } = await openSlackPage(browser);
    const modal = (title: string): ModalView => ({
      type: 'modal',
      callback_id: 'ask',
      title: { type: 'plain_text', text: title },
      submit: { type: 'plain_text', text: 'Go' },
      blocks: [
        {
          type: 'input',
          block_id: 'host',
          label: { type: 'plain_text', text: 'Host' },
          element: { type: 'external_select', action_id: 'host-choice', min_query_length: 1 },
        },
        {
          type: 'input',
          block_id: 'window',
          label: { type: 'plain_text', text: 'Window' },
          hint: { type: 'plain_text', text: 'in seconds' },
          element: { type: 'plain_text_input', action_id: 'value' },
        },
        {
          type: 'input',
          block_id: 'allow',
          optional: true,
          label: { type: 'plain_text', text: 'Allow' },
          element: {
            type: 'checkboxes',
            action_id: 'value',
            options: [
              { text: { type: 'mrkdwn', text: '*stops*' }, value: 'stops' },
              { text: { type: 'plain_text', text: 'writes disk' }, value: 'writes-disk' },
            ],
          },
        },
      ],
    });
    const submitted = heard<unknown>();
    app.command('/diagnose', async ({ ack, client, command }) => {
      await ack();
      await client.views.open({ trigger_id: command.trigger_id, view: modal('Diagnose') });
    });
    app.options('host-choice', async ({ ack, payload }) => {
      const hosts = ['web-7', 'web-8', 'db-1'].filter((name) => name.startsWith(payload.value));
      await ack({ options: hosts.map((name) => ({ text: { type: 'plain_text', text: name }, value: `id:${name}` })) });
    });
    app.view('ask', async ({ ack, view }) => {
      if (view.state.values.window?.value?.value === 'long') {
        await ack({ response_action: 'errors', errors: { window: 'must be a number' } });
        return;
      }
      await ack();
      submitted.add(view.state.values);
    });
    await app.start();
    await type('/diagnose');
    const dialog = page.getByRole('dialog', { name: 'Diagnose' });
    await dialog.getByRole('button', { name: 'Go' }).click();
    await dialog.getByText('Please complete this required field.').first().waitFor();
    await dialog.getByRole('combobox', { name: 'Host' }).pressSequentially('we');
    await dialog.getByRole('option', { name: 'web-8' }).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    expect(await dialog.getByRole('combobox', { name: 'Host' }).inputValue()).toBe('web-8');
    await dialog.getByRole('textbox', { name: 'Window' }).fill('long');
    await dialog.getByRole('checkbox', { name: 'stops' }).check();
    await dialog.getByRole('button', { name: 'Go' }).click();
    await dialog.getByText('must be a number').waitFor();
    expect(await dialog.getByRole('combobox', { name: 'Host' }).inputValue()).toBe('web-8');
    const view = slack.modal('alice');
    await app.client.views.update({ view_id: String(view?.id), view: modal('Changed') });
    const changed = page.getByRole('dialog', { name: 'Changed' });
    expect(await changed.getByRole('combobox', { name: 'Host' }).inputValue()).toBe('web-8');
    expect(await changed.getByRole('checkbox', { name: 'stops' }).isChecked()).toBe(true);
    await changed.getByRole('textbox', { name: 'Window' }).fill('5');
    await changed.getByRole('button', { name: 'Go' }).click();
    await changed.waitFor({ state: 'detached' });
    expect(await submitted.until(1)).toMatchObject([
      {
        host: { 'host-choice': { selected_option: { value: 'id:web-8' } } },
        window: { value: { value: '5' } },
        allow: { value: { selected_options: [{ value: 'stops' }] } },
      },
    ]);
    expect(slack.modal('alice')).toBeUndefined();
  });

  it('closes a modal with Escape and tells the app', async () => {
    const { app, page, type } = await openSlackPage(browser);
    const closed = heard<string>();
    app.command('/diagnose', async ({ ack, client, command }) => {
      await ack();
      await client.views.open({
        trigger_id: command.trigger_id,
        view: {
          type: 'modal',
          callback_id: 'bye',
          notify_on_close: true,
          title: { type: 'plain_text', text: 'Hello' },
          blocks: [],
        },
      });
    });
    app.view({ callback_id: 'bye', type: 'view_closed' }, async ({ ack, view }) => {
      await ack();
      closed.add(view.callback_id);
    });
    await app.start();
    await type('/diagnose');
    await page.getByRole('dialog', { name: 'Hello' }).waitFor();
    await page.keyboard.press('Escape');
    expect(await closed.until(1)).toEqual(['bye']);
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  });

  it('shows the home tab, live, with buttons that work', async () => {
    const { slack, app, page } = await openSlackPage(browser);
    const pressed = heard<string>();
    app.event('app_home_opened', async ({ event, client }) => {
      await client.views.publish({
        user_id: event.user,
        view: {
          type: 'home',
          blocks: [
            {
              type: 'section',
              text: { type: 'mrkdwn', text: '*1* look is running' },
              accessory: { type: 'button', action_id: 'cancel', text: { type: 'plain_text', text: 'Cancel' } },
            },
          ],
        },
      });
    });
    app.action('cancel', async ({ ack, body, client }) => {
      await ack();
      pressed.add(body.user.id);
      await client.views.publish({
        user_id: body.user.id,
        view: { type: 'home', blocks: [{ type: 'section', text: { type: 'mrkdwn', text: 'nothing is running' } }] },
      });
    });
    await app.start();
    await page.getByRole('button', { name: 'Straceback · Home' }).click();
    await page.getByText('look is running').waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('nothing is running').waitFor();
    expect(pressed.all).toEqual([slack.user('alice').id]);
  });
});
