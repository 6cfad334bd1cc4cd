import { act, fetchState, listen } from './api.js';
import { blocks } from './blocks.js';
import { composer } from './composer.js';
import { byId, h } from './dom.js';
import { messageList } from './messages.js';
import { modalHost } from './modal.js';
import { applyChange, authorOf, namesOf, visibleMessages } from './store.js';

const DEFAULT_USER = 'alice';
const HOME = 'home';

let state;
let stopListening = () => {};
/** What is looked at: a channel's id or `home`, and the thread beside it. */
const place = { channel: undefined, threadTs: undefined };
const unread = new Set();
/** Whose home tab the app was last told of. */
let homeOf;

function toast(text) {
  const node = h('p', {}, text);
  byId('toasts').append(node);
  setTimeout(() => node.remove(), 6_000);
}

/** Does something as the person at the page; says so when it fails. */
async function perform(what) {
  try {
    const result = await act({ user: state.me, ...what });
    if (result.ack?.acked === false && what.do !== 'slash') toast('This app did not respond. Please try again.');
    return result;
  } catch (error) {
    toast(error.message);
    throw error;
  }
}

const quietly = (promise) => promise.catch(() => {});

function elementContext(extra) {
  return { names: namesOf(state), users: state.users, channels: state.channels, ...extra };
}

function messageContext(message) {
  const where = { channel: message.channel, ts: message.ts };
  return elementContext({
    author: (each) => authorOf(state, each),
    openThread: (each) => go(each.channel, each.thread_ts ?? each.ts),
    act: (actionId, given) => quietly(perform({ do: 'act', message: where, actionId, given })),
    suggest: async (actionId, typed) => (await perform({ do: 'suggest', message: where, actionId, typed })).options,
  });
}

function viewContext(where) {
  return elementContext({
    act: (actionId, given) => quietly(perform({ do: 'act-in-view', where, actionId, given })),
    suggest: async (actionId, typed) => (await perform({ do: 'suggest', actionId, typed })).options,
    submit: (values) => perform({ do: 'submit', values }),
    close: () => quietly(perform({ do: 'close' })),
  });
}

const showMessages = messageList(byId('messages'), messageContext);
const showReplies = messageList(byId('replies'), messageContext);
const showModal = modalHost(() => viewContext('modal'));

/** A line that begins with a command is one; in a thread Slack refuses them. */
async function send(text, threadTs) {
  const command = state.commands.find((each) => text === each || text.startsWith(`${each} `));
  if (text.startsWith('/') && command === undefined) {
    const [word] = text.split(/\s/);
    toast(`${word} is not a valid command. There are: ${state.commands.join(', ')}`);
    throw new Error('not a command');
  }
  if (command === undefined) return perform({ do: 'say', text, channel: place.channel, threadTs });
  if (threadTs !== undefined) {
    toast(`${command} is not supported in threads. Sorry!`);
    throw new Error('not in threads');
  }
  return perform({ do: 'slash', command, text: text.slice(command.length).trim(), channel: place.channel });
}

const mainComposer = composer(byId('composer'), { label: 'Message', send: (text) => quietly(send(text)) });
const threadComposer = composer(byId('thread-composer'), {
  label: 'Reply in',
  send: (text) => quietly(send(text, place.threadTs)),
});

function channelLabel(channel) {
  return channel.kind === 'im' ? state.app.name : `#${channel.name}`;
}

function navItem(id, label, isShared) {
  const isHere = place.channel === id;
  const open = () => go(id);
  const text = [h('span', { class: 'name' }, label), isShared ? h('span', { class: 'badge' }, 'shared') : null];
  const look = unread.has(id) && !isHere ? 'unread' : '';
  return h(
    'li',
    {},
    h('button', { type: 'button', class: look, 'aria-current': isHere ? 'page' : null, onclick: open }, text),
  );
}

const drawn = new Map();

/** Draws the inside of a node anew only when what it shows has changed: focus and open menus stay. */
function draw(id, shows, make) {
  const version = JSON.stringify(shows);
  if (drawn.get(id) === version) return;
  drawn.set(id, version);
  byId(id).replaceChildren(...make());
}

function renderFrame() {
  byId('team').textContent = state.team.name;
  const connection = byId('connection');
  connection.textContent = state.connected ? `${state.app.name} is connected` : `${state.app.name} is not connected`;
  connection.classList.toggle('off', !state.connected);
  const people = state.users.filter((user) => !user.isBot);
  draw('me', people, () => people.map((user) => h('option', { value: user.id }, user.realName)));
  byId('me').value = state.me;
  const open = state.channels.filter((channel) => channel.kind === 'channel' && !channel.isArchived);
  const look = [place.channel, [...unread]];
  draw('channels', [look, open], () =>
    open.map((channel) => navItem(channel.id, channelLabel(channel), channel.isExtShared)),
  );
  const im = state.channels.find((channel) => channel.kind === 'im');
  draw('apps', [look, im], () => [
    navItem(HOME, `${state.app.name} · Home`, false),
    ...(im === undefined ? [] : [navItem(im.id, `${state.app.name} · Messages`, false)]),
  ]);
}

function renderPlace() {
  const isHome = place.channel === HOME;
  const channel = state.channels.find(({ id }) => id === place.channel);
  byId('title').textContent = isHome ? `${state.app.name} · Home` : channelLabel(channel);
  byId('topic').textContent = channel?.topic ?? '';
  byId('messages').hidden = isHome;
  byId('composer').hidden = isHome || channel.isArchived;
  byId('home').hidden = !isHome;
  if (isHome) renderHome();
  else showMessages(visibleMessages(state, place.channel));
  const threaded = place.threadTs !== undefined && !isHome;
  byId('thread').hidden = !threaded;
  document.body.classList.toggle('with-thread', threaded);
  if (threaded) showReplies(visibleMessages(state, place.channel, place.threadTs), { inThread: true });
  if (channel === undefined) return;
  mainComposer.describe(
    channelLabel(channel),
    `${state.commands[0]} HOST PID starts a look. Enter sends, Shift+Enter begins a line.`,
  );
  threadComposer.describe('the thread', '@straceback help asks the bot.');
}

function renderHome() {
  const { home } = state;
  draw('home', [state.me, home?.hash ?? null], () =>
    home === null
      ? [h('p', { class: 'empty' }, 'The app has published nothing here yet.')]
      : blocks(home.blocks, { ...viewContext('home'), values: home.state.values }),
  );
}

function render() {
  renderFrame();
  renderPlace();
  showModal(state.modal);
}

/** Goes to a channel (or the home tab) and, when given, a thread in it. */
function go(channel, threadTs) {
  const isNew = channel !== place.channel;
  place.channel = channel;
  place.threadTs = threadTs;
  unread.delete(channel);
  const hash = [channel, threadTs].filter((part) => part !== undefined).join('/');
  if (location.hash.slice(1) !== hash) history.replaceState(null, '', `/#${hash}`);
  render();
  if (isNew) byId('messages').scrollTop = byId('messages').scrollHeight;
  if (channel === HOME && state.me !== homeOf) void quietly(perform({ do: 'open-home' }));
  homeOf = channel === HOME ? state.me : undefined;
  if (threadTs !== undefined) byId('replies').scrollTop = byId('replies').scrollHeight;
}

/** The place that the address names: a permalink, or what was looked at before. */
function placeOfAddress() {
  const link = /^\/archives\/([A-Z0-9]+)\/p(\d+)(\d{6})$/.exec(location.pathname);
  if (link !== null) {
    const threadTs = new URLSearchParams(location.search).get('thread_ts');
    return [link[1], threadTs ?? undefined];
  }
  const [channel, threadTs] = location.hash.slice(1).split('/');
  return [channel || undefined, threadTs];
}

/** Changes that came while the state was being fetched; they may be in it already, and are applied to it all the same. */
let early;

function onChange(change) {
  if (early !== undefined) {
    early.push(change);
    return;
  }
  applyChange(state, change);
  if (change.kind === 'message' && change.channel.id !== place.channel) unread.add(change.channel.id);
  render();
}

async function load(user) {
  early = [];
  state = await fetchState(user);
  for (const change of early) applyChange(state, change);
  early = undefined;
  localStorage.setItem('user', state.me);
  const [channel, threadTs] = place.channel === undefined ? placeOfAddress() : [place.channel, place.threadTs];
  const isKnown = channel === HOME || state.channels.some(({ id }) => id === channel);
  go(isKnown ? channel : state.channels[0].id, isKnown ? threadTs : undefined);
}

/** Becomes a person: their state, then every change of it. */
function become(user) {
  stopListening();
  // Each connection begins with the whole state: what changed while there was none is in it.
  early = [];
  stopListening = listen(user, () => load(user).catch((error) => toast(error.message)), onChange);
}

byId('me').addEventListener('change', (event) => become(event.currentTarget.value));
byId('close-thread').addEventListener('click', () => go(place.channel));
window.addEventListener('hashchange', () => {
  const [channel, threadTs] = placeOfAddress();
  if (channel !== undefined) go(channel, threadTs);
});
const asked = new URLSearchParams(location.search).get('user');
become(asked ?? localStorage.getItem('user') ?? DEFAULT_USER);
