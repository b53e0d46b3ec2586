import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestCluster, testCluster } from './support/api-server.ts';
import { type Kubectl, kubectl, kubectlReleases } from './support/kubectl.ts';
import { type RawApi, rawApi } from './support/raw-api.ts';
import { anchor, anchorDefinition } from './support/test-definition.ts';

interface Entry {
  manager: string;
  operation: string;
  subresource?: string;
  time: string;
  fieldsV1: Record<string, unknown>;
}

// Within one release the tests follow each other, each from what the one before left.
describe.each(kubectlReleases)('apply by kubectl %s', (release) => {
  let cluster: TestCluster;
  let k: Kubectl;
  let api: RawApi;

  beforeAll(async () => {
    cluster = await testCluster();
    k = kubectl(release, cluster.home);
    api = await rawApi(cluster.api);
    await k.ok('create namespace linkerd');
    await k.ok('apply --server-side -f -', anchorDefinition);
    await k.ok('wait --for=condition=Established crd/anchors.test.capstan.dev --timeout=10s');
  });

  afterAll(async () => {
    api?.close();
    await cluster?.close();
  });

  const web = (replicas: number, image = 'nginx', more = '') => `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: linkerd, labels: {app: web}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: ${image}, ports: [{containerPort: 80}]}${more}
`;

  const read = async (what: string): Promise<{ metadata: Record<string, unknown>; spec: never }> =>
    JSON.parse(await k.ok(`get ${what} -n linkerd -o json --show-managed-fields`));
  const entries = async (what: string) => ((await read(what)).metadata['managedFields'] ?? []) as Entry[];
  const names = async (path: string) => k.ok(`get deploy web -n linkerd -o jsonpath={${path}}`);

  test('a built-in kind is owned by what was applied, its defaults by nobody; a second time changes nothing', async () => {
    expect(await k.ok('apply --server-side -f -', web(2))).toBe('deployment.apps/web serverside-applied\n');
    const once = await read('deploy/web');
    expect(once.metadata['managedFields']).toEqual([
      {
        manager: 'kubectl',
        operation: 'Apply',
        apiVersion: 'apps/v1',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:metadata': { 'f:labels': { 'f:app': {} } },
          'f:spec': {
            'f:replicas': {},
            'f:selector': {},
            'f:template': {
              'f:metadata': { 'f:labels': { 'f:app': {} } },
              'f:spec': {
                'f:containers': {
                  'k:{"name":"web"}': {
                    '.': {},
                    'f:image': {},
                    'f:name': {},
                    'f:ports': {
                      'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} },
                    },
                  },
                },
              },
            },
          },
        },
      },
    ]);
    await k.ok('apply --server-side -f -', web(2));
    expect(await read('deploy/web')).toEqual(once);
  });

  test('scaling through its own endpoint makes an owner, who is named and can be overruled', async () => {
    await k.ok('scale deploy web -n linkerd --replicas 5');
    expect(await k.fails('apply --server-side -f -', web(2))).toMatch(
      /Apply failed with 1 conflict: conflict with "kubectl[-.\d]*" with subresource "scale" using apps\/v1: \.spec\.replicas/,
    );
    expect(await names('.spec.replicas')).toBe('5');
    await k.ok('apply --server-side --force-conflicts -f -', web(2));
    expect(await names('.spec.replicas')).toBe('2');
    expect((await entries('deploy/web')).map(({ operation }) => operation)).toEqual(['Apply']);
  });

  test('a dry run says what would be, and leaves everything as it is', async () => {
    const before = await read('deploy/web');
    const would = JSON.parse(await k.ok('apply --server-side --dry-run=server -o json -f -', web(9))) as {
      spec: { replicas: number };
    };
    expect(would.spec.replicas).toBe(9);
    expect(await read('deploy/web')).toEqual(before);
  });

  test('two managers share a list, and each takes only its own item away', async () => {
    const sidecar = web(2).replace(
      'name: web, image: nginx, ports: [{containerPort: 80}]',
      'name: proxy, image: linkerd',
    );
    await k.ok('apply --server-side --field-manager=mesh -f -', sidecar);
    expect(await names('.spec.template.spec.containers[*].name')).toBe('web proxy');
    await k.ok('apply --server-side -f -', web(2, 'nginx:1.27'));
    expect(await names('.spec.template.spec.containers[*].image')).toBe('nginx:1.27 linkerd');
    const bare = sidecar.replace(/\n {6}containers:\n.*\n/, '\n      containers: []\n');
    await k.ok('apply --server-side --field-manager=mesh -f -', bare);
    expect(await names('.spec.template.spec.containers[*].name')).toBe('web');
  });

  test('a plain apply follows, and an apply on the server after it, as kubectl moves between the two', async () => {
    await k.ok('apply -f -', web(3, 'nginx:1.27'));
    expect(await names('.spec.replicas')).toBe('3');
    expect(await k.ok('apply -f -', web(3, 'nginx:1.27'))).toBe('deployment.apps/web unchanged\n');
    await k.ok('apply --server-side --force-conflicts -f -', web(4, 'nginx:1.28'));
    expect(await names('.spec.replicas')).toBe('4');
    const { annotations } = (await read('deploy/web')).metadata as { annotations: Record<string, string> };
    expect(annotations['kubectl.kubernetes.io/last-applied-configuration']).toContain('nginx:1.28');
  });

  test('strategic patches merge by key, and put what is new in front', async () => {
    const patch = (containers: string) =>
      `patch deploy web -n linkerd -p '{"spec":{"template":{"spec":{"containers":${containers}}}}}'`;
    await k.ok(patch('[{"name":"extra","image":"busybox"},{"name":"web","args":["x"]}]'));
    expect(await names('.spec.template.spec.containers[*].name')).toBe('extra web');
    await k.ok(patch('[{"name":"extra","$patch":"delete"}]'));
    expect(await names('.spec.template.spec.containers[*].name')).toBe('web');
    expect(await k.fails(patch('[{"image":"x"}]'))).toContain('does not contain declared merge key: name');
    await k.ok('set env deploy/web -n linkerd A=b');
    await k.ok('rollout restart deploy/web -n linkerd');
    expect(await names('.spec.template.spec.containers[0].env[0]')).toBe('{"name":"A","value":"b"}');
  });

  test('a custom resource: what is no longer applied goes, what defaults filled in stays', async () => {
    await k.ok(
      'apply --server-side -f -',
      anchor('sheet', 'chain: steel\nlinks:\n- {name: a, size: 1}\n- {name: b}'),
    );
    expect((await read('anchor/sheet')).spec).toEqual({
      chain: 'steel',
      weight: 7,
      links: [{ name: 'a', size: 1 }, { name: 'b' }],
    });
    await k.ok(
      'apply --server-side --field-manager=rigger -f -',
      anchor('sheet', 'chain: steel\nlinks:\n- {name: b, size: 4}'),
    );
    await k.ok('apply --server-side -f -', anchor('sheet', 'chain: steel\nlinks:\n- {name: c}'));
    expect((await read('anchor/sheet')).spec).toEqual({
      chain: 'steel',
      weight: 7,
      links: [{ name: 'b', size: 4 }, { name: 'c' }],
    });
  });

  test('status is applied through its own endpoint, by a manager of its own', async () => {
    const conditions = 'status: {conditions: [{type: Ready, status: "True"}]}';
    const status = `apiVersion: test.capstan.dev/v1\nkind: Anchor\nmetadata: {name: sheet, namespace: linkerd}\n${conditions}\n`;
    const main = await k.ok(
      'apply --server-side --field-manager=bosun -o json -f -',
      `${anchor('sheet', 'chain: steel')}${conditions}\n`,
    );
    expect(JSON.parse(main)).not.toHaveProperty('status');
    await k.ok('apply --server-side --subresource=status --field-manager=bosun -f -', status);
    const bosun = (await entries('anchor/sheet')).filter(({ manager }) => manager === 'bosun');
    expect(bosun.map(({ subresource, fieldsV1 }) => [subresource, fieldsV1])).toEqual([
      [undefined, { 'f:spec': { 'f:chain': {} } }],
      [
        'status',
        {
          'f:status': { 'f:conditions': { 'k:{"type":"Ready"}': { '.': {}, 'f:status': {}, 'f:type': {} } } },
        },
      ],
    ]);
  });

  test('a client may rewrite managedFields by patch, as helm does to take over a release', async () => {
    const path = '/apis/test.capstan.dev/v1/namespaces/linkerd/anchors/sheet';
    const { body } = await api.send('GET', path);
    const index = (body.metadata.managedFields as Entry[]).findIndex(({ manager }) => manager === 'kubectl');
    const { status } = await api.send(
      'PATCH',
      path,
      [
        { op: 'test', path: '/metadata/resourceVersion', value: body.metadata.resourceVersion },
        { op: 'replace', path: `/metadata/managedFields/${index}/manager`, value: 'helm' },
      ],
      { 'content-type': 'application/json-patch+json' },
    );
    expect(status).toBe(200);
    const managers = (await entries('anchor/sheet')).map(({ manager }) => manager);
    expect(managers).toContain('helm');
    expect(managers).not.toContain('kubectl');
  });

  test('a definition that has become stricter lets be what is there, and what is not touched', async () => {
    await k.ok('apply --server-side --field-manager=old -f -', anchor('old', 'chain: iron'));
    const stricter = anchorDefinition.replace(
      'chain: {type: string, minLength: 2,',
      'chain: {type: string, minLength: 5,',
    );
    await k.ok('apply --server-side -f -', stricter);
    await k.ok(`patch anchor old -n linkerd --type=merge -p '{"spec":{"weight":9}}'`);
    await k.ok('label anchor old -n linkerd a=b');
    expect(
      await k.fails(`patch anchor old -n linkerd --type=merge -p '{"spec":{"chain":"rope"}}'`),
    ).toContain('spec.chain in body should be at least 5 chars long');
    expect(await k.fails('apply --server-side -f -', anchor('new', 'chain: iron'))).toContain(
      'at least 5 chars long',
    );
    await k.ok('apply --server-side -f -', anchorDefinition);
  });

  test('what cannot be applied is refused in words that say why', async () => {
    const twice = anchor('twice', 'chain: steel\nlinks:\n- {name: a}\n- {name: a}');
    expect(await k.fails('apply --server-side -f -', twice)).toContain(
      'duplicate entries for key .spec.links[name="a"]',
    );
    expect(await k.fails('apply --server-side -f -', anchor('odd', 'chain: steel\nfoo: 1'))).toContain(
      'unknown field "spec.foo"',
    );
    expect(await k.fails('apply --server-side -f -', anchor('short', 'chain: s'))).toContain(
      'The Anchor "short" is invalid: spec.chain: Invalid value: "s": spec.chain in body should be at least 2 chars long',
    );
    const broken = anchorDefinition
      .replaceAll('anchors', 'buoys')
      .replaceAll('Anchor', 'Buoy')
      .replace('chain: {type: string,', 'chain: {');
    expect(await k.fails('apply --server-side -f -', broken)).toContain(
      'spec.validation.openAPIV3Schema.properties[spec].properties[chain].type: Required value: must not be empty for specified object fields',
    );
  });
});
