import { createHash } from 'node:crypto';
import { NO_SITE_RULES, type Redactor, redactor, type SiteRules } from '../../infra/redact/redactor.ts';
import { scanForSecrets } from '../../infra/redact/scan.ts';
import type { Alert, Notice } from './notice.ts';

type Words = Notice['labels'];

/** Whether what stands under a name is a secret by that name: `db_password`. */
const isSecretName = (name: string): boolean => {
  const line = `${name}=Zk93hfQwX2`;
  return redactor().text(line) !== line;
};

/** The placeholder of a value that is a secret as a whole, whatever is in it. */
const hidden = (value: string, redact: Redactor): string =>
  redact.text(`secret="${value.replace(/["\\\n]/g, '_')}"`).slice('secret='.length);

const inWords = (words: Words, redact: Redactor): Words =>
  Object.fromEntries(
    Object.entries(words).map(([name, value]) => [
      redact.text(name).slice(0, 200),
      (isSecretName(name) && value !== '' ? hidden(value, redact) : redact.text(value)).slice(0, 4_000),
    ]),
  );

/** An identity stays one: with a secret in it, it is known by its hash. */
const identity = (text: string, redact: Redactor): string =>
  redact.text(text) === text ? text : `hashed-${createHash('sha256').update(text).digest('hex').slice(0, 40)}`;

/** An address without its secrets; null when it is none any more. */
const address = (url: string | null, redact: Redactor): string | null => {
  if (url === null) return null;
  const text = redact.text(url).replace(/\[(redacted-\d+)\]/g, '$1');
  return URL.canParse(text) && text.length <= 2_000 ? text : null;
};

const textsOf = ({ title, labels, alerts, url, group }: Notice): string[] => [
  title,
  group,
  url ?? '',
  ...[labels, ...alerts.flatMap((alert) => [alert.labels, alert.annotations])].flatMap((words) =>
    Object.entries(words).map(([name, value]) => `${name}=${value}`),
  ),
  ...alerts.map(({ fingerprint }) => fingerprint),
];

/** What is left of a notice that could not be looked through: that there is one. */
const withheld = (notice: Notice): Notice => ({
  ...notice,
  group: `hashed-${createHash('sha256').update(notice.group).digest('hex').slice(0, 40)}`,
  title: 'An alert whose words are withheld: they could not be checked for secrets (see the log of the bot)',
  labels: {},
  alerts: notice.alerts.map((alert) => ({
    ...alert,
    fingerprint: createHash('sha256').update(alert.fingerprint).digest('hex').slice(0, 40),
    labels: {},
    annotations: {},
  })),
  url: null,
});

/**
 * A notice with placeholders for the secrets in it, before it goes anywhere. Never throws: what could not be checked is
 * withheld, and `failed` is told why.
 */
export const withoutSecrets = async (
  notice: Notice,
  site: SiteRules = NO_SITE_RULES,
  failed: (why: unknown) => void = () => undefined,
): Promise<Notice> => {
  try {
    const redact = redactor(await scanForSecrets([textsOf(notice).join('\n')]), site);
    const alert = (each: Alert): Alert => ({
      ...each,
      fingerprint: identity(each.fingerprint, redact),
      labels: inWords(each.labels, redact),
      annotations: inWords(each.annotations, redact),
    });
    return {
      ...notice,
      group: identity(notice.group, redact),
      title: redact.text(notice.title).slice(0, 1_000),
      labels: inWords(notice.labels, redact),
      alerts: notice.alerts.map(alert),
      url: address(notice.url, redact),
    };
  } catch (error) {
    failed(error);
    return withheld(notice);
  }
};
