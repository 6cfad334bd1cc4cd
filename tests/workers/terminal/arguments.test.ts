import { describe, expect, it } from 'vitest';
import { readDiagnoseArguments, readDoctorArguments, UsageError } from '../../../workers/terminal/arguments.ts';

const read = (line: string) => readDiagnoseArguments(line.split(' '));

describe('straceback diagnose', () => {
  it('takes host and pid, and the default playbook', () => {
    expect(read('web-7 6325')).toMatchObject({
      host: 'web-7',
      selector: { kind: 'pid', pid: 6325 },
      playbook: 'triage',
      json: false,
      allow: [],
    });
  });

  it('takes a selector in the place of the pid', () => {
    expect(read('web-7 port:8080').selector).toEqual({ kind: 'port', port: 8080 });
    expect(read('web-7 top:cpu --json').selector).toEqual({ kind: 'top', by: 'cpu' });
  });

  it('takes every option', () => {
    const words =
      'web-7 6325 --playbook hang --window 5 --json --user deploy --port 2222 --identity /k --known-hosts /h --allow stops,writes-disk --out /tmp/x';
    expect(read(words)).toMatchObject({
      playbook: 'hang',
      windowSeconds: 5,
      json: true,
      allow: ['stops', 'writes-disk'],
      out: '/tmp/x',
      reach: { user: 'deploy', port: 2222, identityFile: '/k', knownHostsFile: '/h' },
    });
  });

  it.each([
    ['web-7', /A host and a pid are needed/],
    ['web-7 12 13', /"13" is one word too many/],
    ['web-7 twelve', /"twelve" names no process: a process is named by its process id or by unit:NAME/],
    ['web-7 0', /"0" names no process: a process id is a number/],
    ['web-7 99999999', /a number from 1 to 4194304/],
    ['web-7 port:http', /after `port:` comes a number/],
    ['web;reboot 12', /host "web;reboot" is not valid: a host name has only/],
    ['$(reboot) 12', /not valid/],
    ['web-7 12 --window 900', /--window 900/],
    ['web-7 12 --window soon', /--window soon/],
    ['web-7 12 --allow everything', /--allow/],
    ['web-7 12 --port 99999', /--port/],
    ['web-7 12 --user -oProxyCommand=x', /--user/],
    ['web-7 12 --playbook ../../etc', /--playbook/],
    ['web-7 12 --frobnicate', /frobnicate/],
  ])('refuses "%s" with one sentence and the usage', (line, reason) => {
    expect(() => read(line)).toThrow(UsageError);
    expect(() => read(line)).toThrow(reason);
    expect(() => read(line)).toThrow(/Usage: straceback diagnose HOST PID/);
  });

  it('never takes a host for an option', () => {
    expect(() => read('-oProxyCommand=x 12')).toThrow(UsageError);
    expect(() => readDiagnoseArguments(['--', '-oProxyCommand=x', '12'])).toThrow(UsageError);
  });

  it('shows no control characters of what it refuses', () => {
    expect(() => readDiagnoseArguments(['web\u001b[2J', '12'])).toThrow(/"web\?\[2J"/);
  });
});

describe('straceback doctor', () => {
  it('takes one host', () => {
    expect(readDoctorArguments(['web-7', '--user', 'root'])).toMatchObject({ host: 'web-7', reach: { user: 'root' } });
    expect(() => readDoctorArguments([])).toThrow(/One host is needed/);
  });
});
