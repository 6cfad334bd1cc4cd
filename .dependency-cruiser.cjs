/** Who may import whom. The picture that these walls hold is in ARCHITECTURE.md. */
const only = (name, packages, where, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { pathNot: where },
  to: { path: `(^|node_modules/)(${packages})(/|$)`, dependencyTypesNot: ['type-only'] },
});

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'model-imports-nothing-of-ours',
      severity: 'error',
      from: { path: '^playbooks/model/' },
      to: { path: '^(bot|workers|infra|straceback|playbooks/(?!model/))' },
    },
    {
      name: 'playbooks-are-pure',
      severity: 'error',
      from: { path: '^playbooks/' },
      to: {
        path: '^(bot|workers|infra|straceback)|^(node:)?(net|http|https|http2|tls|dgram|dns|child_process|worker_threads)$',
      },
    },
    {
      name: 'infra-knows-only-the-model',
      severity: 'error',
      from: { path: '^infra/', pathNot: '^infra/sandbox/' },
      to: { path: '^(bot|workers|straceback|playbooks/(?!model/))' },
    },
    {
      name: 'bot-never-imports-workers',
      severity: 'error',
      from: { path: '^bot/' },
      to: { path: '^(workers|straceback)' },
    },
    {
      name: 'workers-never-import-bot',
      severity: 'error',
      from: { path: '^workers/' },
      to: { path: '^(bot|straceback)' },
    },
    {
      name: 'sandbox-is-outside',
      severity: 'error',
      from: { path: '^(bot|workers|playbooks)/' },
      to: { path: '^infra/sandbox/' },
    },
    { name: 'product-never-imports-tests', severity: 'error', from: { pathNot: '^tests/' }, to: { path: '^tests/' } },
    only('only-bot-imports-bolt', '@slack/bolt', '^(bot|tests)/', 'Slack is known in one room.'),
    only('only-ssh-imports-node-ssh', 'node-ssh|ssh2', '^(workers/ssh|tests)/', 'SSH is known in one room.'),
    only('only-redact-imports-secretlint', '@secretlint', '^(infra/redact|tests)/', 'Secrets are known in one place.'),
    only('only-prose-imports-openai', 'openai', '^(workers/prose|tests/)', 'The model is known in one room.'),
    only('only-hosts-imports-ssh-config', 'ssh-config', '^(infra/hosts|tests)/', 'Inventories are known in one place.'),
    only(
      'only-history-imports-databases',
      'kysely|pg|@electric-sql/pglite',
      '^(infra/history|tests)/',
      'The database is known in one place; workers need none.',
    ),
    only(
      'only-one-file-imports-s3',
      '@aws-sdk|@smithy',
      '^(infra/evidence/s3\\.ts|tests/)',
      'Who keeps evidence knows a store, not whose protocol it speaks.',
    ),
    only('only-queue-imports-bullmq', 'bullmq|ioredis', '^(infra/queue|tests)', 'Redis is known in one place.'),
    only('only-queue-imports-its-tools', 'bullmq-otel|@bull-board', '^(infra/queue|tests)', 'They know BullMQ.'),
    only(
      'only-metrics-imports-prom-client',
      'prom-client',
      '^(infra/metrics|tests)',
      'Who counts knows no Prometheus.',
    ),
    only(
      'only-tracing-imports-opentelemetry',
      '@opentelemetry',
      '^(infra/tracing|tests)',
      'It is loaded only when it is on.',
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
