import { afterAll, afterEach, expect, test } from 'vitest';
import { hostLookup } from '../../../infra/hosts.ts';
import { Report } from '../../../playbooks/model/index.ts';
import { loadKnowledge } from '../../../workers/knowledge.ts';
import { keepFolderOf, shellOpener } from '../../../workers/reach.ts';
import { readDiagnoseArguments } from '../../../workers/terminal/arguments.ts';
import { diagnoseOnTerminal } from '../../../workers/terminal/diagnose.ts';
import { endProcesses, startPython } from '../../support/live-process.ts';

afterEach(endProcesses);
const opener = shellOpener(hostLookup([]));
afterAll(() => opener.close());

const diagnose = async (words: string) => {
  const [out, err]: [string[], string[]] = [[], []];
  const hosts = hostLookup([]);
  const code = await diagnoseOnTerminal(
    readDiagnoseArguments(words.split(' ')),
    { knowledge: await loadKnowledge(undefined), openShell: opener.openShell, keepFolder: keepFolderOf(hosts) },
    {
      out: (text) => void out.push(text),
      err: (text) => void err.push(text),
      interactive: false,
      signal: new AbortController().signal,
    },
  );
  return { code, out: out.join(''), err: err.join('') };
};

const LISTENER = `
import os, socket, sys
server = socket.create_server(('127.0.0.1', 0))
for _ in range(int(sys.argv[1])):
    if os.fork() == 0:
        sys.stdin.read()
        os._exit(0)
print('ready', flush=True)
print('port', server.getsockname()[1], flush=True)
sys.stdin.read()
`;

const listen = async (children: number) => {
  const live = await startPython(LISTENER, [String(children)]);
  return { live, port: Number((await live.line(/^port/)).split(' ')[1]) };
};

test('the only listener is looked at, and the report says what led to it', async () => {
  const { live, port } = await listen(0);
  const { code, out, err } = await diagnose(`local port:${port} --playbook glance --window 0.5 --json`);
  expect(err).toBe(
    `Process ${live.pid} is meant by port:${port}. It is the only process that listens on port ${port}.\n`,
  );
  expect(code).toBe(0);
  expect(Report.parse(JSON.parse(out)).target).toMatchObject({ pid: live.pid, selector: `port:${port}` });
});

test('several are listed, a master first, and none of them is looked at', async () => {
  const { live, port } = await listen(2);
  const { code, out, err } = await diagnose(`local port:${port}`);
  expect([code, out]).toEqual([3, '']);
  expect(err).toContain(`straceback: 3 processes on local are meant by port:${port}; name one by its process id:`);
  expect(err.split('\n')[1]).toMatch(new RegExp(`^ *${live.pid} .* master: `));
});

test('none is said with what is near', async () => {
  const { code, err } = await diagnose('local unit:no-such-thing');
  expect(code).toBe(3);
  expect(err).toMatch(/^straceback: No process on local is meant by unit:no-such-thing\. /);
});
