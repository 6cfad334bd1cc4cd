import { withoutSecrets } from '../log.ts';

/** How one part of the program is. */
export interface PartState {
  readonly ok: boolean;
  /** One sentence for a person. */
  readonly why: string;
}

/** What the program as a whole can do now. */
export interface Readiness {
  readonly ready: boolean;
  readonly parts: Readonly<Record<string, PartState>>;
}

/** The parts that have to be well for the program to do its work. */
export interface Parts {
  /** A part that says by itself how it is; the newest word counts. */
  readonly tell: (name: string, state: PartState) => void;
  /** A part that is asked. What it throws, or does not answer in two seconds, is not well. */
  readonly ask: (name: string, state: () => PartState | Promise<PartState>) => void;
  readonly all: () => Promise<Readiness>;
}

const MOST_MS = 2_000;

const bounded = async (ask: () => PartState | Promise<PartState>): Promise<PartState> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<PartState>((resolve) => {
    timer = setTimeout(
      () => resolve({ ok: false, why: `It did not say how it is within ${MOST_MS / 1000} s.` }),
      MOST_MS,
    );
  });
  try {
    return await Promise.race([Promise.resolve(ask()), late]);
  } catch (error) {
    return { ok: false, why: `It cannot say how it is: ${error instanceof Error ? error.message : String(error)}` };
  } finally {
    clearTimeout(timer);
  }
};

/** Opens the list; the order in which parts come is kept. */
export const openParts = (): Parts => {
  const parts = new Map<string, () => PartState | Promise<PartState>>();
  return {
    tell: (name, state) => void parts.set(name, () => state),
    ask: (name, state) => void parts.set(name, state),
    all: async () => {
      const states = await Promise.all(
        [...parts].map(async ([name, ask]) => {
          const { ok, why } = await bounded(ask);
          return [name, { ok, why: withoutSecrets(why).slice(0, 500) }] as const;
        }),
      );
      return { ready: states.every(([, { ok }]) => ok), parts: Object.fromEntries(states) };
    },
  };
};
