/** The configuration cannot be used; `message` names every fault with file and line. */
export class BadConfig extends Error {
  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.name = 'BadConfig';
  }
}

/** A fault and the place in the file that it is about; without a path it is about the environment. */
export interface ConfigFault {
  readonly path?: readonly PropertyKey[] | undefined;
  readonly message: string;
  /** A key that is no misspelling of another one. */
  readonly stray?: boolean;
}

/** What a file holds, with the lines of it. */
export interface ConfigSource {
  /** The file's name as it was given; undefined when there is none. */
  readonly file: string | undefined;
  readonly value: unknown;
  readonly lineOf: (at: readonly PropertyKey[]) => number;
}

/** `straceback.yaml:12`, the place of something in the file. */
export const placeIn = ({ file, lineOf }: ConfigSource, path: readonly PropertyKey[]): string =>
  `${file ?? 'configuration'}:${lineOf(path)}`;

/** Who has made one mistake in each of a thousand hosts is helped by the first. */
const MOST_TOLD = 200;

/** The faults as people read them: those of the file in the order of its lines, then those of the environment. */
export const faultLines = (faults: readonly ConfigFault[], source: ConfigSource): string[] => {
  const placed = faults.map(({ path, message }) => ({
    line: path === undefined ? Number.POSITIVE_INFINITY : source.lineOf(path),
    text:
      path === undefined
        ? `environment: ${message}`
        : `${placeIn(source, path)}: ${path.join('.') || 'file'}: ${message}`,
  }));
  const inOrder = placed.sort((one, other) => (one.line === other.line ? 0 : one.line - other.line));
  const told = [...new Set(inOrder.map(({ text }) => text.replace(/\p{Cc}/gu, '?')))];
  const rest = told.length - MOST_TOLD;
  return rest <= 0 ? told : [...told.slice(0, MOST_TOLD), `and ${rest} faults more`];
};
