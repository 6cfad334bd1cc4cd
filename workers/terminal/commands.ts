import { type Config, hostFromCommandLine, readConfig } from '../../infra/config.ts';
import { languageFor } from '../../infra/language.ts';
import { doctorText, examineHost } from '../doctor.ts';
import { loadKnowledge } from '../knowledge.ts';
import { keepFolderOf, shellOpener } from '../reach.ts';
import { type Reach, readDiagnoseArguments, readDoctorArguments } from './arguments.ts';
import { diagnoseOnTerminal } from './diagnose.ts';

/** Hosts as a terminal user reaches them: by the options given, else by the inventory, else as ssh(1) would by name. */
const terminalHosts = (config: Config, reach: Reach): Config['hosts'] => {
  const given = Object.values(reach).some((value) => value !== undefined);
  return (name) => {
    if (name === 'local') return config.hosts(name);
    // The jump host is reached without itself, and by what the inventory knows of it.
    if (name === reach.jump) return config.hosts(name) ?? hostFromCommandLine(name, { ...reach, jump: undefined });
    return (given ? undefined : config.hosts(name)) ?? hostFromCommandLine(name, reach);
  };
};

/** Reads the inventory of a look from the terminal; what is wrong with it is said, and the look goes on with what is known. */
const readInventory = async ({ inventory }: Config): Promise<void> => {
  for (const fault of await inventory.refresh()) process.stderr.write(`straceback: ${fault}\n`);
};

/** `straceback diagnose`: one look, until it ends or `signal` says stop. The exit code; throws UsageError, BadConfig, LookFailed. */
export const diagnose = async (words: readonly string[], signal: AbortSignal): Promise<number> => {
  const asked = readDiagnoseArguments(words);
  const config = readConfig(asked.config);
  await readInventory(config);
  const hosts = terminalHosts(config, asked.reach);
  const opener = shellOpener(hosts);
  try {
    const knowledge = await loadKnowledge(config.playbooksFolder, config.redaction);
    return await diagnoseOnTerminal(
      { ...asked, language: asked.language ?? languageFor(config.language, null) },
      { knowledge, openShell: opener.openShell, keepFolder: keepFolderOf(hosts) },
      {
        out: (text) => void process.stdout.write(text),
        err: (text) => void process.stderr.write(text),
        interactive: process.stderr.isTTY === true,
        signal,
      },
    );
  } finally {
    await opener.close();
  }
};

/** `straceback doctor`: what a host has of what looks need. The exit code; throws UsageError, BadConfig, LookFailed. */
export const doctor = async (words: readonly string[]): Promise<number> => {
  const asked = readDoctorArguments(words);
  const config = readConfig(asked.config);
  await readInventory(config);
  const opener = shellOpener(terminalHosts(config, asked.reach));
  try {
    const shell = await opener.openShell(asked.host);
    try {
      const found = await examineHost(asked.host, shell);
      process.stdout.write(asked.json ? `${JSON.stringify(found, null, 2)}\n` : doctorText(found));
      return 0;
    } finally {
      await shell.close();
    }
  } finally {
    await opener.close();
  }
};
