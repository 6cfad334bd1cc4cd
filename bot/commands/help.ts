import type { Command } from '../command.ts';

/** How to ask, from the verbs and playbooks that there are. */
export const help: Command = {
  verb: 'help',
  usage: '',
  summary: 'this text',
  run: async (_asked, { commands, playbooks, hosts, me }) => {
    const verbs = [...commands.values()]
      .sort((one, other) => Number(other.verb === 'look') - Number(one.verb === 'look'))
      .map(
        ({ verb, usage, summary }) =>
          `• \`${['/diagnose', ...(verb === 'look' ? [] : [verb]), usage].join(' ').trim()}\`: ${summary}`,
      );
    const offered = playbooks.map(({ id, title }) => `• \`${id}\`: ${title}`);
    const names = hosts.names.slice(0, 20).map((name) => `\`${name}\``);
    const more = hosts.names.length > names.length ? ` and ${hosts.names.length - names.length} more` : '';
    return [
      'I examine a live process, least harm first, and say in a thread what is wrong with it and how I know.',
      ...verbs,
      'Playbooks (without one it is `triage`):',
      ...offered,
      `Hosts: ${names.join(', ')}${more}.`,
      `In a thread that I opened, <@${me.userId}> \`help\` says what can be asked there.`,
    ].join('\n');
  },
};
