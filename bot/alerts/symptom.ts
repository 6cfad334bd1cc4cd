/** `HighCPUUsage on web_7` as the words `high cpu usage on web 7`. */
const wordsIn = (text: string): string =>
  text
    .slice(0, 2_000)
    .replace(/([a-z\d])([A-Z])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .replace(/[^a-z\d%]+/g, ' ');

/** What people call a symptom, and the playbook that looks into it. The first that fits counts: the special ones come first. */
const SYMPTOMS: readonly (readonly [playbook: string, words: RegExp])[] = [
  ['fds', /\b(?:fds?|(?:file )?descriptors?|open files|too many open|nofile|filehandles?|file handles?)\b/],
  [
    'crash',
    /\b(?:restart(?:s|ed|ing)?|crash(?:es|ed|ing|loop\w*)?|oom ?kill\w*|flapping|exited|segfaults?|core dump\w*)\b/,
  ],
  ['memory', /\b(?:mem|memory|rss|oom|swap\w*|heap|working set|leak\w*)\b/],
  ['cpu', /\b(?:cpus?|load|throttl\w*|busy)\b/],
  [
    'hang',
    /\b(?:hangs?|hung|hanging|stuck|unresponsive|deadlock\w*|frozen|freezes?|stalled|stall|not responding|no progress|heartbeat\w*|health ?checks?|liveness|backlog)\b/,
  ],
  [
    'slow',
    /\b(?:(?:http ?)?5 ?xx\w*|50[0-4]s?|latency|latencies|slow\w*|error rate|errors?|apdex|p9\d\w*|response times?|durations?|time ?outs?|requests?)\b/,
  ],
];

/** Labels that name the symptom; others name places, and a service called `memory-cache` has no memory trouble for it. */
const TELLING = ['symptom', 'alertname', 'alert', 'monitor', 'check', 'metric', 'rule', 'rulename'];

/** The playbook for what an alert complains of; null when neither its labels nor its title say. Pure. */
export const playbookFor = (labels: Readonly<Record<string, string>>, title: string): string | null => {
  const told = [...TELLING.flatMap((label) => labels[label] ?? []), title];
  for (const text of told) {
    const words = wordsIn(text);
    const found = SYMPTOMS.find(([, pattern]) => pattern.test(words));
    if (found !== undefined) return found[0];
  }
  return null;
};
