import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { interpreters, versionOf } from '../../support/py-stacks.ts';

describe('the table of offsets', () => {
  const probes = path.join(import.meta.dirname, '../../../playbooks/probes');
  const dump = `
import json, sys
sys.path.insert(0, sys.argv[1])
from py_read_layout import parse_table as parse
from py_read_offsets import TABLES as tables
print(json.dumps({'%d.%d' % version: parse(text) for version, text in tables.items()}))`;
  const tables: Record<string, Record<string, number>> = JSON.parse(
    spawnSync('/usr/bin/python3', ['-B', '-c', dump, probes], { encoding: 'utf8' }).stdout,
  );
  const libraries = interpreters.flatMap((python) => {
    const version = versionOf(python);
    const folder = path.join(path.dirname(python), '../lib');
    const library = readdirSync(folder).find((name) => /^libpython\d.*\.so\.1\.0$/.test(name));
    return library ? [[version, path.join(folder, library)] as const] : [];
  });

  it('has all versions that are said to be read', () => {
    expect(Object.keys(tables)).toEqual(['2.7', '3.6', '3.7', '3.8', '3.9', '3.10', '3.11', '3.12', '3.13', '3.14']);
  });

  it.skipIf(libraries.length === 0).each(libraries)('is what the debug information of %s says', (version, library) => {
    const fields = Object.entries(tables[version] ?? {});
    expect(fields.length).toBeGreaterThan(50);
    const expressions = fields.map(([name]) => {
      const type = name.slice(0, name.indexOf('.'));
      const field = name.slice(type.length + 1);
      const full = /^(_PyInterpreterFrame|_gil_runtime_state|_gc_runtime_state|gc_generation)$/.test(type)
        ? `struct ${type}`
        : type;
      return field === 'size' ? `sizeof(${full})` : `(unsigned long)&((${full} *)0)->${field}`;
    });
    const { stdout } = spawnSync(
      'gdb',
      [
        ...['-nx', '-batch', '-iex', 'set auto-load off', '-iex', 'set debuginfod enabled off', library],
        ...expressions.flatMap((expression) => ['-ex', `output ${expression}`, '-ex', 'echo \\n']),
      ],
      { encoding: 'utf8' },
    );
    expect(stdout.trim().split('\n')).toEqual(fields.map(([, offset]) => String(offset)));
  });
});
