import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import type { RedisTls } from './queue/place.ts';

/** TLS to Redis: PEM files, and the name in the server's certificate where it is not the one that is connected to. */
export const RedisTlsSettings = z.strictObject({
  ca: z.string().min(1).optional(),
  cert: z.string().min(1).optional(),
  key: z.string().min(1).optional(),
  serverName: z.string().min(1).optional(),
  /** False: the sentinels themselves are reached without TLS. */
  sentinels: z.boolean().optional(),
});
export type RedisTlsSettings = z.infer<typeof RedisTlsSettings>;

const KINDS = ['ca', 'cert', 'key'] as const;
/** So one connection gets a certificate and the key of it. */
const AGAIN_AFTER_MS = 500;
type Texts = Partial<Record<(typeof KINDS)[number], string>>;
type Fault = (name: string | null, message: string) => void;

const certificateOf = (text: string): X509Certificate | null => {
  try {
    return new X509Certificate(text);
  } catch {
    return null;
  }
};

const keyOf = (text: string): KeyObject | string => {
  try {
    return createPrivateKey(text);
  } catch (error) {
    const locked = /passphrase|interrupted or cancelled/i.test(error instanceof Error ? error.message : '');
    return locked ? 'is locked by a passphrase; give a key without one' : 'is no private key in PEM form';
  }
};

/** What would only be found out at the first connection, and there in words that say little. */
const examine = (texts: Texts, fault: Fault): void => {
  const [ca, cert] = [texts.ca, texts.cert].map((text) => (text === undefined ? undefined : certificateOf(text)));
  if (ca === null) fault('ca', 'is no certificate in PEM form');
  if (cert === null) fault('cert', 'is no certificate in PEM form');
  const key = texts.key === undefined ? undefined : keyOf(texts.key);
  if (typeof key === 'string') fault('key', key);
  else if (key !== undefined && cert && !cert.checkPrivateKey(key))
    fault('key', 'is not the key of the certificate in cert');
};

/**
 * The files' texts. They are read again for connections that are made later, so that a certificate can be renewed while the
 * program runs; what cannot be read then stays as it was. Relative files are looked for in `base`.
 */
export const redisTlsFrom = (settings: RedisTlsSettings, base: string, fault: Fault): RedisTls => {
  const found: Texts = {};
  for (const name of KINDS) {
    const file = settings[name];
    if (file === undefined) continue;
    try {
      found[name] = readFileSync(path.resolve(base, file), 'utf8');
    } catch (error) {
      fault(name, `cannot be read (${error instanceof Error ? error.message : String(error)})`);
    }
  }
  if ((settings.cert === undefined) !== (settings.key === undefined))
    fault(null, 'a client certificate needs both cert and key');
  examine(found, fault);
  let newest = found;
  let readAt = performance.now();
  const again = (): Texts => {
    if (performance.now() - readAt < AGAIN_AFTER_MS) return newest;
    readAt = performance.now();
    try {
      const texts: Texts = {};
      for (const name of KINDS) {
        const file = settings[name];
        if (file !== undefined) texts[name] = readFileSync(path.resolve(base, file), 'utf8');
      }
      let whole = true;
      examine(texts, () => {
        whole = false;
      });
      // One file may be new and the other not yet.
      if (whole) newest = texts;
    } catch {
      // It is being replaced.
    }
    return newest;
  };
  return {
    ...found,
    again,
    ...(settings.serverName === undefined ? {} : { servername: settings.serverName }),
    ...(settings.sentinels === false ? { sentinels: false } : {}),
  };
};
