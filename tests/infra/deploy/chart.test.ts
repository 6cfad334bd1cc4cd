import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Deployment } from 'kubernetes-models/apps/v1';
import { Ingress, NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { ConfigMap, PersistentVolumeClaim, Service, ServiceAccount } from 'kubernetes-models/v1';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { readConfig } from '../../../infra/config.ts';

const ROOT = path.join(import.meta.dirname, '../../..');
const CHART = path.join(ROOT, 'infra/deploy/helm/straceback');
const LIBRARIES = '/usr/share/gocode';

/** Each kind with the schema of its API. */
const KINDS = {
  ConfigMap,
  PersistentVolumeClaim,
  Service,
  ServiceAccount,
  Deployment,
  Ingress,
  NetworkPolicy,
  PodDisruptionBudget,
};

const Resource = z.looseObject({
  apiVersion: z.string(),
  kind: z.enum(Object.keys(KINDS) as (keyof typeof KINDS)[]),
  metadata: z.looseObject({
    name: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/),
    labels: z.record(z.string(), z.string()),
  }),
});
type Resource = z.infer<typeof Resource>;

const EVERYTHING = `
existingSecret: tokens
sshSecret: keys
image: { registry: registry.example.com/ops, tag: "1", pullSecrets: [{ name: pull }] }
config: { alerts: { port: 8088, sources: { generic: { secrets: ALERTS_GENERIC } } }, hosts: [{ name: web-7, user: ops, identityFile: /etc/straceback/ssh/id, knownHostsFile: /etc/straceback/ssh/known_hosts }] }
bot: { replicas: 1, persistence: { enabled: true, size: 2Gi, storageClassName: fast } }
alerts: { enabled: true, ingress: { enabled: true, className: nginx, host: alerts.example.com, tlsSecret: tls } }
networkPolicy: { enabled: true }
nodeSelector: { disk: ssd }
tolerations: [{ key: ops, operator: Exists }]
affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } }
`;

describe.skipIf(!existsSync('/usr/bin/go') || !existsSync(`${LIBRARIES}/src/github.com/Masterminds/sprig`))(
  'the chart',
  () => {
    let folder = '';
    beforeAll(() => {
      folder = mkdtempSync(path.join(tmpdir(), 'straceback-chart-'));
      const built = spawnSync(
        'go',
        ['build', '-o', path.join(folder, 'render'), path.join(import.meta.dirname, 'render.go')],
        {
          cwd: folder,
          env: {
            PATH: process.env.PATH,
            HOME: folder,
            GOPATH: LIBRARIES,
            GO111MODULE: 'off',
            GOCACHE: path.join(folder, 'cache'),
          },
          encoding: 'utf8',
        },
      );
      expect(built.stderr).toBe('');
    }, 300_000);
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    const render = (values: string) =>
      spawnSync(path.join(folder, 'render'), [CHART], { input: values, encoding: 'utf8' });
    const resources = (values: string): Resource[] => {
      const { stdout, stderr } = render(values);
      expect(stderr).toBe('');
      const documents = parseAllDocuments(
        stdout
          .split('# Source: NOTES.txt')
          .map((part, index) => (index === 0 ? part : part.slice(part.indexOf('\n---'))))
          .join(''),
      );
      for (const document of documents) expect(document.errors).toEqual([]);
      return documents
        .map((document): unknown => document.toJS())
        .filter((value) => value !== null)
        .map((value) => Resource.parse(value));
    };
    const configOf = (all: readonly Resource[]) => {
      const map = z
        .object({ data: z.record(z.string(), z.string()) })
        .parse(all.find(({ kind }) => kind === 'ConfigMap'));
      const file = path.join(folder, 'straceback.yaml');
      writeFileSync(file, map.data['straceback.yaml'] ?? '');
      return readConfig(file, { ALERTS_GENERIC: 'a-secret-of-sixteen' });
    };

    it.each([
      ['as it comes', ''],
      ['with everything', EVERYTHING],
      ['with no workers', 'worker: { replicas: 0 }\n'],
    ])('%s is what the API takes', (_how, values) => {
      const all = resources(values);
      for (const resource of all) {
        const Kind = KINDS[resource.kind];
        // The schemas take a resource as its constructor does and throw with the path of what is wrong.
        new Kind(resource as never).validate();
      }
      const names = all.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
      expect(new Set(names).size).toBe(names.length);
      expect(names).toEqual(
        expect.arrayContaining([
          'Deployment/night-bot',
          'Deployment/night-worker',
          'ConfigMap/night',
          'ServiceAccount/night',
        ]),
      );
      expect(configOf(all).dataFolder).toBe('/var/lib/straceback');
    });

    it('finds its own pods, ports and volumes', () => {
      const all = resources(EVERYTHING);
      const Labels = z.record(z.string(), z.string());
      const Pod = z.object({
        spec: z.object({
          selector: z.object({ matchLabels: Labels }),
          template: z.object({
            metadata: z.object({ labels: Labels }),
            spec: z.object({
              volumes: z.array(z.object({ name: z.string() })),
              containers: z.tuple([
                z.object({
                  args: z.array(z.string()),
                  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
                  volumeMounts: z.array(z.object({ name: z.string() })),
                }),
              ]),
            }),
          }),
        }),
      });
      for (const resource of all.filter(({ kind }) => kind === 'Deployment')) {
        const { selector, template } = Pod.parse(resource).spec;
        expect(template.metadata.labels).toMatchObject(selector.matchLabels);
        const [container] = template.spec.containers;
        expect(new Set(container.volumeMounts.map(({ name }) => name))).toEqual(
          new Set(template.spec.volumes.map(({ name }) => name)),
        );
        expect(container.ports.find(({ name }) => name === 'health')?.containerPort).toBe(8090);
        expect(resource.metadata.name).toBe(`night-${container.args[0]}`);
      }
      expect(configOf(all).hosts('web-7')).toMatchObject({ user: 'ops' });
    });

    it.each([
      ['bot: { persistence: { enabled: true } }\n', 'set bot.replicas to 1'],
      ['alerts: { enabled: true, ingress: { enabled: true } }\n', 'alerts.ingress.host is missing'],
    ])('says what is wrong with %s', (values, sentence) => {
      const { status, stderr } = render(values);
      expect(status).toBe(1);
      expect(stderr).toContain(sentence);
    });

    it('has a schema that takes its own values', () => {
      const schema = z.fromJSONSchema(
        JSON.parse(readFileSync(path.join(CHART, 'values.schema.json'), 'utf8')) as Parameters<
          typeof z.fromJSONSchema
        >[0],
      );
      const values: unknown = parse(readFileSync(path.join(CHART, 'values.yaml'), 'utf8'));
      expect(schema.safeParse(values).error).toBeUndefined();
      expect(schema.safeParse({ ...(values as object), worker: { replicas: 'two' } }).success).toBe(false);
      expect(schema.safeParse({ ...(values as object), workers: {} }).success).toBe(false);
    });
  },
);

describe('compose.yaml', () => {
  const Compose = z.object({
    services: z.record(
      z.string(),
      z.looseObject({
        build: z.object({ context: z.string(), dockerfile: z.string(), target: z.string() }).optional(),
        command: z.array(z.string()).optional(),
        volumes: z.array(z.string()).default([]),
        secrets: z.array(z.string()).default([]),
        depends_on: z.record(z.string(), z.object({ condition: z.literal('service_healthy') })).default({}),
        healthcheck: z.object({ test: z.array(z.string()) }).optional(),
        read_only: z.boolean().optional(),
        privileged: z.undefined().optional(),
        ports: z.undefined().optional(),
      }),
    ),
    volumes: z.record(z.string(), z.unknown()),
    secrets: z.record(z.string(), z.object({ file: z.string() })),
  });
  const folder = path.join(ROOT, 'infra/deploy');
  const { services, volumes, secrets } = Compose.parse(
    parse(readFileSync(path.join(folder, 'compose.yaml'), 'utf8'), { merge: true }),
  );

  it('names only what there is, and waits for what it needs', () => {
    const targets = [...readFileSync(path.join(folder, 'Dockerfile'), 'utf8').matchAll(/ AS (\w+)$/gm)].map(
      ([, name]) => name,
    );
    for (const { build, depends_on, volumes: mounted, secrets: used } of Object.values(services)) {
      if (build !== undefined) {
        expect(targets).toContain(build.target);
        expect(existsSync(path.join(folder, build.context, build.dockerfile))).toBe(true);
      }
      for (const name of Object.keys(depends_on)) expect(services[name]?.healthcheck).toBeDefined();
      for (const mount of mounted) {
        const [from = ''] = mount.split(':');
        if (!from.startsWith('.')) expect(volumes).toHaveProperty(from);
      }
      for (const name of used) expect(secrets).toHaveProperty(name);
    }
  });

  it.each(['bot', 'worker'])('%s can change no file of its own', (name) => {
    expect(services[name]).toMatchObject({ read_only: true, cap_drop: ['ALL'], command: [name] });
  });
});
