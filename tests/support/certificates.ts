import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** Makes a certificate authority in a folder: NAME.crt and NAME.key. */
export const authority = async (folder: string, name: string): Promise<void> => {
  const words = ['req', '-x509', ...KEY, '-keyout', `${name}.key`, '-out', `${name}.crt`, '-subj', `/CN=${name}`];
  await run('openssl', [...words, '-days', '2'], { cwd: folder });
};

/** Makes a certificate by an authority of the folder, NAME.crt and NAME.key: valid for `days` from now, less than 0 for one that has expired. */
export const certificate = async (
  folder: string,
  name: string,
  { by, extension, days = 2 }: { by: string; extension: string; days?: number },
): Promise<void> => {
  await writeFile(join(folder, `${name}.ext`), `${extension}\n`);
  const asked = ['req', ...KEY, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`];
  await run('openssl', asked, { cwd: folder });
  const signing = ['-CA', `${by}.crt`, '-CAkey', `${by}.key`, '-CAcreateserial', '-days', String(days)];
  const files = ['-in', `${name}.csr`, '-extfile', `${name}.ext`, '-out', `${name}.crt`];
  await run('openssl', ['x509', '-req', ...files, ...signing], { cwd: folder });
};

/** Extension of a certificate for a server on the loopback interface. */
export const LOOPBACK = 'subjectAltName=IP:127.0.0.1';
/** Extension of one for a client. */
export const CLIENT = 'extendedKeyUsage=clientAuth';
