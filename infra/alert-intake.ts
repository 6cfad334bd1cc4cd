import { z } from 'zod';

const Name = z.string().regex(/^[a-z][a-z0-9-]{0,40}$/, 'is small letters, digits and dashes');

/** Secrets are never in the file: it names the environment variables that have them. */
const VariableName = z
  .string()
  .regex(
    /^[A-Za-z_][A-Za-z0-9_]{0,99}$/,
    'is no name of an environment variable (the secret itself does not belong here)',
  );

const Source = z.strictObject({
  /** How it proves itself, when it has several ways; the first of its ways when left out. */
  auth: Name.optional(),
  /** The user name of basic authentication. */
  user: z
    .string()
    .min(1)
    .max(200)
    .regex(/^[^:\p{Cc}]+$/u, 'has a colon or control characters')
    .optional(),
  /** Several while a secret is being changed: each of them is good. */
  secrets: z
    .union([VariableName.transform((one) => [one]), z.array(VariableName).min(1).max(5)], {
      error: 'names the environment variables that have the secrets, one or a list of at most five',
    })
    .readonly(),
});

/** The part of `alerts` in straceback.yaml that says where alerts come in. Nothing listens without `port`. */
export const alertIntake = {
  port: z.number().int().min(1).max(65_535).optional(),
  /** The address to listen at; beyond this machine only behind something that speaks TLS. */
  host: z
    .string()
    .min(1)
    .max(253)
    .regex(/^[A-Za-z0-9.:_-]+$/, 'is an address of this machine')
    .default('127.0.0.1'),
  sources: z.record(Name, Source).default({}),
};

/** One source as it is set up. */
export interface AlertSourceSettings {
  readonly auth: string | undefined;
  readonly user: string | undefined;
  /** `value` is undefined when the environment has none: a worker's machine needs none. */
  readonly secrets: readonly { readonly name: string; readonly value: string | undefined }[];
  /** File and line of it, for people. */
  readonly at: string;
}

/** Where alerts come in. */
export interface AlertIntakeSettings {
  readonly port: number;
  readonly host: string;
  readonly sources: ReadonlyMap<string, AlertSourceSettings>;
}

const Read = z.object(alertIntake);

/** What is missing in a part that is right by itself, each with its place in `alerts`. */
export const alertIntakeFaults = ({
  port,
  sources,
}: z.infer<typeof Read>): { path: PropertyKey[]; message: string }[] => {
  const listed = Object.keys(sources).length > 0;
  if (port === undefined && listed) return [{ path: ['sources'], message: 'port is missing: where alerts come in' }];
  if (port !== undefined && !listed) return [{ path: ['port'], message: 'sources is missing: who may send alerts' }];
  return [];
};

/** The settings with the secrets of the environment; undefined when nothing is to listen. */
export const alertIntakeFrom = (
  { port, host, sources }: z.infer<typeof Read>,
  env: Readonly<Record<string, string | undefined>>,
  placeOf: (path: readonly PropertyKey[]) => string,
): AlertIntakeSettings | undefined =>
  port === undefined
    ? undefined
    : {
        port,
        host,
        sources: new Map(
          Object.entries(sources).map(([name, { auth, user, secrets }]) => [
            name,
            {
              auth,
              user,
              secrets: secrets.map((each) => ({ name: each, value: env[each] })),
              at: placeOf(['sources', name]),
            },
          ]),
        ),
      };
