import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { eventually, type TestCluster, testCluster } from './support/api-server.ts';
import { type RawApi, rawApi } from './support/raw-api.ts';
import { anchorDefinition } from './support/test-definition.ts';

let cluster: TestCluster;
let api: RawApi;

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const path = '/apis/test.capstan.dev/v1/namespaces/default/anchors';
const merge = { 'content-type': 'application/merge-patch+json' };

beforeEach(async () => {
  cluster = await testCluster();
  api = await rawApi(cluster.api);
  const { status } = await api.send('POST', definitions, definition());
  expect(status).toBe(201);
  await eventually(async () => ((await api.send('GET', path)).status === 200 ? true : undefined));
});

afterEach(async () => {
  api.close();
  await cluster.close();
});

function definition() {
  return parse(anchorDefinition);
}

async function change(edit: (spec: ReturnType<typeof definition>['spec']) => void): Promise<void> {
  const { body } = await api.send('GET', `${definitions}/anchors.test.capstan.dev`);
  edit(body.spec);
  const { status, body: answer } = await api.send('PUT', `${definitions}/anchors.test.capstan.dev`, body);
  expect(status, JSON.stringify(answer)).toBe(200);
}

function anchor(name: string, spec: Record<string, unknown> = { chain: 'iron' }) {
  return { apiVersion: 'test.capstan.dev/v1', kind: 'Anchor', metadata: { name }, spec };
}

test('a definition is established, and says so', async () => {
  const { body } = await api.send('GET', `${definitions}/anchors.test.capstan.dev`);
  expect(body.status).toMatchObject({
    acceptedNames: { plural: 'anchors', singular: 'anchor', kind: 'Anchor', listKind: 'AnchorList' },
    storedVersions: ['v1'],
    conditions: [
      { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts' },
      { type: 'Established', status: 'True', reason: 'InitialNamesAccepted' },
    ],
  });
});

test('objects are pruned and completed; the generation counts what is wanted, not what is seen', async () => {
  const { body: created } = await api.send(
    'POST',
    path,
    anchor('a', { chain: 'iron', unknown: { deep: 1 } }),
  );
  expect(created.spec).toEqual({ chain: 'iron', weight: 7 });
  expect(created.metadata.generation).toBe(1);
  const labelled = await api.send('PATCH', `${path}/a`, { metadata: { labels: { a: 'b' } } }, merge);
  expect(labelled.body.metadata.generation).toBe(1);
  const changed = await api.send(
    'PATCH',
    `${path}/a`,
    { spec: { weight: 8 }, status: { conditions: [] } },
    merge,
  );
  expect(changed.body.metadata.generation).toBe(2);
  expect(changed.body).not.toHaveProperty('status');
  const seen = await api.send(
    'PATCH',
    `${path}/a/status`,
    { spec: { weight: 9 }, status: { conditions: [] } },
    merge,
  );
  expect(seen.body).toMatchObject({
    metadata: { generation: 2 },
    spec: { weight: 8 },
    status: { conditions: [] },
  });
  expect(
    seen.body.metadata.managedFields.map(({ subresource }: { subresource?: string }) => subresource),
  ).toContain('status');
});

test('a status in a new object is let go, and nobody owns it; a node brings its own', async () => {
  const status = { conditions: [{ type: 'Ready', status: 'True' }] };
  const { body: created } = await api.send('POST', path, { ...anchor('a'), status });
  expect(created.status).toBeUndefined();
  const owned = (body: { metadata: { managedFields: { fieldsV1: object }[] } }) =>
    body.metadata.managedFields.flatMap(({ fieldsV1 }) => Object.keys(fieldsV1));
  expect(owned(created)).toEqual(['f:spec']);
  const applied = await api.send(
    'PATCH',
    `${path}/b?fieldManager=one`,
    { ...anchor('b'), status },
    { 'content-type': 'application/apply-patch+yaml' },
  );
  expect(applied).toMatchObject({ status: 201 });
  expect(applied.body.status).toBeUndefined();
  expect(owned(applied.body)).toEqual(['f:spec']);
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'one' }, status };
  expect((await api.send('POST', '/api/v1/nodes', node)).body.status).toEqual(status);
});

test('a PUT must say what it replaces', async () => {
  await api.send('POST', path, anchor('a'));
  expect(await api.send('PUT', `${path}/a`, anchor('a', { chain: 'rope' }))).toMatchObject({
    status: 422,
    body: {
      message:
        'Anchor.test.capstan.dev "a" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be specified for an update',
    },
  });
});

test('a changed schema changes what is read, and ends watches so that clients look again', async () => {
  await api.send('POST', path, anchor('a'));
  const { body: list } = await api.send('GET', path);
  const watch = await api.watch(`${path}?watch=1&resourceVersion=${list.metadata.resourceVersion}`);
  await change((spec) => {
    const { properties } = spec.versions[0].schema.openAPIV3Schema.properties.spec;
    properties.colour = { type: 'string', default: 'black' };
  });
  await watch.ended;
  const { body } = await api.send('GET', `${path}/a`);
  expect(body.spec).toEqual({ chain: 'iron', weight: 7, colour: 'black' });
  const { body: documents } = await api.send('GET', '/openapi/v3');
  const address = documents.paths['apis/test.capstan.dev/v1'].serverRelativeURL;
  const { body: document } = await api.send('GET', address);
  expect(JSON.stringify(document)).toContain('colour');
  const stale = await api.send('GET', address.replace(/hash=.*/, 'hash=0'));
  expect(stale).toMatchObject({ status: 301, headers: { location: address } });
});

test('a second version serves the same objects', async () => {
  await api.send('POST', path, anchor('a'));
  await change((spec) => {
    spec.versions.push({ ...structuredClone(spec.versions[0]), name: 'v2', storage: false });
  });
  const second = path.replace('/v1/', '/v2/');
  const { body } = await api.send('GET', `${second}/a`);
  expect(body).toMatchObject({ apiVersion: 'test.capstan.dev/v2', spec: { chain: 'iron' } });
  const written = await api.send('PATCH', `${second}/a`, { spec: { chain: 'rope' } }, merge);
  expect(written.body.apiVersion).toBe('test.capstan.dev/v2');
  expect((await api.send('GET', `${path}/a`)).body).toMatchObject({
    apiVersion: 'test.capstan.dev/v1',
    spec: { chain: 'rope' },
  });
  const { body: group } = await api.send('GET', '/apis/test.capstan.dev');
  expect(group.preferredVersion.version).toBe('v2');
});

test('a definition goes once its objects are gone', async () => {
  const held = { ...anchor('held'), metadata: { name: 'held', finalizers: ['example.com/wait'] } };
  await api.send('POST', path, held);
  await api.send('POST', path, anchor('free'));
  const { body } = await api.send('DELETE', `${definitions}/anchors.test.capstan.dev`);
  expect(body.metadata.finalizers).toEqual(['customresourcecleanup.apiextensions.k8s.io']);
  await eventually(async () => ((await api.send('GET', `${path}/free`)).status === 404 ? true : undefined));
  expect(await api.send('POST', path, anchor('late'))).toMatchObject({
    status: 405,
    body: { reason: 'MethodNotAllowed' },
  });
  await api.send('PATCH', `${path}/held`, { metadata: { finalizers: null } }, merge);
  await eventually(async () =>
    (await api.send('GET', `${definitions}/anchors.test.capstan.dev`)).status === 404 ? true : undefined,
  );
  expect((await api.send('GET', path)).status).toBe(404);
});

test('a name that is taken is not accepted until it is free', async () => {
  const other = definition();
  other.metadata.name = 'moorings.test.capstan.dev';
  other.spec.names = { plural: 'moorings', kind: 'Mooring', shortNames: ['anc'] };
  await api.send('POST', definitions, other);
  const accepted = async () => {
    const { body } = await api.send('GET', `${definitions}/moorings.test.capstan.dev`);
    return body.status?.conditions?.find(({ type }: { type: string }) => type === 'NamesAccepted');
  };
  expect(await eventually(accepted)).toMatchObject({ status: 'False', reason: 'ShortNamesConflict' });
  await api.send('DELETE', `${definitions}/anchors.test.capstan.dev`);
  await eventually(async () => ((await accepted()).status === 'True' ? true : undefined));
});

test('a definition that is not structural, or misnamed, is refused', async () => {
  const bad = definition();
  bad.metadata.name = 'wrong.test.capstan.dev';
  const { status, body } = await api.send('POST', definitions, bad);
  expect(status).toBe(422);
  expect(body.message).toContain('must be spec.names.plural+"."+spec.group');
});
