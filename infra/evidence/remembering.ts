import type { FarStore } from './far-store.ts';

/** For as long as an answer is shown, its files attached one by one, and all of it written down. */
const KEEP_MS = 30_000;
const MOST_BYTES = 48 * 1024 * 1024;

/** The store, with what was read last at hand: all files of a look are in one object, and are read one after the other. */
export const remembering = (store: FarStore): FarStore => {
  const held = new Map<string, { readonly reading: Promise<Uint8Array | null>; bytes: number }>();

  const forget = (name: string, reading: Promise<unknown>): void => {
    if (held.get(name)?.reading === reading) held.delete(name);
  };

  const makeRoom = (): void => {
    let bytes = [...held.values()].reduce((sum, each) => sum + each.bytes, 0);
    for (const [name, each] of held) {
      if (bytes <= MOST_BYTES) return;
      held.delete(name);
      bytes -= each.bytes;
    }
  };

  return {
    ...store,
    get: (name, most) => {
      const known = held.get(name);
      if (known !== undefined) return known.reading;
      const reading = store.get(name, most);
      const entry = { reading, bytes: 0 };
      held.set(name, entry);
      reading.then(
        (bytes) => {
          if (bytes === null) return forget(name, reading);
          entry.bytes = bytes.byteLength;
          makeRoom();
          setTimeout(() => forget(name, reading), KEEP_MS).unref();
        },
        () => forget(name, reading),
      );
      return reading;
    },
    close: () => {
      held.clear();
      store.close();
    },
  };
};
