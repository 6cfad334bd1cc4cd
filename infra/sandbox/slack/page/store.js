/** What the page knows of the workspace, and the one place where a change is worked in. */
export function applyChange(state, change) {
  switch (change.kind) {
    case 'message':
    case 'update':
    case 'decorated': {
      if (!state.channels.some(({ id }) => id === change.channel.id)) state.channels.push(change.channel);
      state.messages[change.channel.id] ??= [];
      const list = state.messages[change.channel.id];
      const at = list.findIndex(({ ts }) => ts === change.message.ts);
      if (at < 0) list.push(change.message);
      else list[at] = change.message;
      return;
    }
    case 'delete': {
      const { channel, ts } = change.message;
      state.messages[channel] = (state.messages[channel] ?? []).filter((message) => message.ts !== ts);
      return;
    }
    case 'ephemeral':
      if (!state.ephemerals.some(({ ts }) => ts === change.message.ts)) state.ephemerals.push(change.message);
      return;
    case 'ephemeral-update':
      state.ephemerals = state.ephemerals.map((message) =>
        message.ts === change.message.ts ? change.message : message,
      );
      return;
    case 'ephemeral-delete':
      state.ephemerals = state.ephemerals.filter((message) => message.ts !== change.message.ts);
      return;
    case 'view':
      state.modal = change.view;
      return;
    case 'home':
      state.home = change.view;
      return;
    case 'connection':
      state.connected = change.connected;
      return;
  }
}

/** The messages of a channel and what only this person sees there, in order; `threadTs` for those of a thread. */
export function visibleMessages(state, channel, threadTs) {
  const here = (message) => message.channel === channel;
  const all = [...(state.messages[channel] ?? []), ...state.ephemerals.filter(here)];
  const inThread = (message) => message.thread_ts !== undefined && message.thread_ts !== message.ts;
  const wanted = all.filter((message) => {
    return threadTs === undefined ? !inThread(message) : message.ts === threadTs || message.thread_ts === threadTs;
  });
  return wanted.sort((a, b) => Number(a.ts) - Number(b.ts));
}

/** Names for the ids that a text may hold. */
export function namesOf(state) {
  return {
    user: (id) => state.users.find((user) => user.id === id)?.name ?? id,
    channel: (id) => state.channels.find((channel) => channel.id === id)?.name ?? id,
    usergroup: (id) => state.usergroups.find((group) => group.id === id)?.handle ?? id,
  };
}

/** Who wrote a message, as it is shown. */
export function authorOf(state, message) {
  const user = state.users.find((each) => each.id === message.user);
  const name = user?.realName ?? message.user;
  const words = name.split(/\s+/).map((word) => word[0] ?? '');
  const note = user?.isStranger ? 'other company' : user?.isRestricted ? 'guest' : undefined;
  const hue = [...message.user].reduce((sum, character) => sum + character.codePointAt(0), 0) % 6;
  return {
    name,
    initials: words.slice(0, 2).join('').toUpperCase(),
    isBot: user?.isBot === true,
    note,
    hue: user?.isBot ? 'bot' : hue,
  };
}
