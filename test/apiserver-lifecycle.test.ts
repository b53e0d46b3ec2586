import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ApiServer, startApiServer } from '../src/apiserver/server.ts';
import { hourMs, minuteMs } from '../src/base/duration.ts';
import { systemEntropy } from '../src/base/entropy.ts';
import { silentLog } from '../src/base/log.ts';
import { ManualClock } from '../src/base/manual-clock.ts';
import { memoryStore } from '../src/store/memory.ts';
import type { Store } from '../src/store/store.ts';
import { eventually } from './support/api-server.ts';
import { type RawApi, rawApi } from './support/raw-api.ts';

let store: Store;
let server: ApiServer;
let api: RawApi;
let clock: ManualClock;

async function start(): Promise<void> {
  server = await startApiServer({
    store,
    clock,
    entropy: systemEntropy,
    log: silentLog,
    listen: { host: '127.0.0.1', port: 0 },
  });
  api = await rawApi(server);
}

async function stop(): Promise<void> {
  api.close();
  await server.close();
}

beforeEach(async () => {
  // TLS judges certificates by the machine's clock, so the manual one starts there.
  clock = new ManualClock(Date.now());
  store = memoryStore();
  await start();
});

afterEach(stop);

const path = '/api/v1/namespaces/default/configmaps';
const merge = { 'content-type': 'application/merge-patch+json' };

async function create(name: string, metadata: Record<string, unknown> = {}, at = path) {
  const { status, body } = await api.send('POST', at, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, ...metadata },
    data: { some: 'thing' },
  });
  expect(status, JSON.stringify(body)).toBe(201);
  return body;
}

function ownedBy(owner: { metadata: { name: string; uid: string } }, more: Record<string, unknown> = {}) {
  const { name, uid } = owner.metadata;
  return { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name, uid, ...more }] };
}

/** Resolves once `name` is gone. */
function gone(at: string): Promise<true> {
  return eventually(async () => ((await api.send('GET', at)).status === 404 ? true : undefined));
}

test('everything is there after a restart, revisions go on, and the CA and the tokens stay good', async () => {
  const before = await create('kept');
  const token = await api.send('POST', '/api/v1/namespaces/default/serviceaccounts/default/token', {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    metadata: {},
    spec: {},
  });
  const { ca } = server;
  await stop();
  await start();
  expect(server.ca).toBe(ca);
  const { body } = await api.send('GET', `${path}/kept`);
  expect(body).toEqual(before);
  const later = await create('later');
  expect(Number(later.metadata.resourceVersion)).toBeGreaterThan(Number(before.metadata.resourceVersion));
  const review = await api.send('POST', '/apis/authentication.k8s.io/v1/tokenreviews', {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    spec: { token: token.body.status.token },
  });
  expect(review.body.status).toMatchObject({
    authenticated: true,
    user: { username: 'system:serviceaccount:default:default' },
  });
});

test('writers of one object take turns, and a stale revision is a conflict', async () => {
  const object = await create('busy');
  const patches = Array.from({ length: 20 }, (_, n) =>
    api.send('PATCH', `${path}/busy`, { data: { [`key${n}`]: String(n) } }, merge),
  );
  expect((await Promise.all(patches)).map(({ status }) => status)).toEqual(patches.map(() => 200));
  const { body } = await api.send('GET', `${path}/busy`);
  expect(Object.keys(body.data)).toHaveLength(21);
  const stale = await api.send('PUT', `${path}/busy`, object);
  expect(stale).toMatchObject({
    status: 409,
    body: {
      reason: 'Conflict',
      message:
        'Operation cannot be fulfilled on configmaps "busy": the object has been modified; please apply your changes to the latest version and try again',
    },
  });
});

test('an update that changes nothing writes nothing', async () => {
  const object = await create('same');
  const { body } = await api.send('PUT', `${path}/same`, object);
  expect(body.metadata.resourceVersion).toBe(object.metadata.resourceVersion);
});

test('a dry run decides and keeps nothing', async () => {
  const { status, body } = await api.send('POST', `${path}?dryRun=All`, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { generateName: 'never-' },
  });
  expect(status).toBe(201);
  expect(body.metadata.name).toMatch(/^never-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  expect(body.metadata).not.toHaveProperty('resourceVersion');
  expect((await api.send('GET', `${path}/${body.metadata.name}`)).status).toBe(404);
});

test('finalizers hold a deleted object until the last of them is taken away', async () => {
  await create('held', { finalizers: ['example.com/one', 'example.com/two'] });
  const { body: marked } = await api.send('DELETE', `${path}/held`);
  expect(marked.metadata.deletionTimestamp).toBe(`${new Date(clock.now()).toISOString().slice(0, 19)}Z`);
  const added = await api.send(
    'PATCH',
    `${path}/held`,
    { metadata: { finalizers: ['example.com/new'] } },
    merge,
  );
  // What waits can only get less, so this released it.
  expect(added.status).toBe(200);
  expect((await api.send('GET', `${path}/held`)).status).toBe(404);
});

test('deletion preconditions name the object that is meant', async () => {
  await create('mine');
  const other = await api.send('DELETE', `${path}/mine`, {
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    preconditions: { uid: 'other' },
  });
  expect(other).toMatchObject({ status: 409, body: { reason: 'Conflict' } });
  const done = await api.send('DELETE', `${path}/mine`);
  expect(done.body).toMatchObject({
    kind: 'Status',
    status: 'Success',
    details: { name: 'mine', kind: 'configmaps' },
  });
});

test('what loses its last owner is collected; what keeps one only loses the reference', async () => {
  const first = await create('first');
  const second = await create('second');
  await create('child', ownedBy(first));
  await create('grandchild', ownedBy((await api.send('GET', `${path}/child`)).body));
  await create('shared', {
    ownerReferences: [...ownedBy(first).ownerReferences, ...ownedBy(second).ownerReferences],
  });
  await api.send('DELETE', `${path}/first`);
  await gone(`${path}/grandchild`);
  const shared = await eventually(async () => {
    const { body } = await api.send('GET', `${path}/shared`);
    return body.metadata.ownerReferences.length === 1 ? body : undefined;
  });
  expect(shared.metadata.ownerReferences[0].uid).toBe(second.metadata.uid);
  await create('stray', {
    ownerReferences: [{ apiVersion: 'v1', kind: 'Secret', name: 'x', uid: 'nobody' }],
  });
  await gone(`${path}/stray`);
  await create('foreign', {
    ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'x', uid: 'elsewhere' }],
  });
  await create('another', {
    ownerReferences: [{ apiVersion: 'v1', kind: 'Secret', name: 'x', uid: 'nobody' }],
  });
  await gone(`${path}/another`);
  // Of a kind that is not served nobody here can say that it is absent.
  expect((await api.send('GET', `${path}/foreign`)).status).toBe(200);
});

test('foreground deletion waits for dependents that block it', async () => {
  const owner = await create('owner');
  await create('blocker', {
    ...ownedBy(owner, { blockOwnerDeletion: true }),
    finalizers: ['example.com/wait'],
  });
  const deleted = await api.send('DELETE', `${path}/owner?propagationPolicy=Foreground`);
  expect(deleted.body.metadata.finalizers).toEqual(['foregroundDeletion']);
  await eventually(async () => {
    const { body } = await api.send('GET', `${path}/blocker`);
    return body.metadata.deletionTimestamp as string | undefined;
  });
  expect((await api.send('GET', `${path}/owner`)).status).toBe(200);
  await api.send('PATCH', `${path}/blocker`, { metadata: { finalizers: null } }, merge);
  await gone(`${path}/owner`);
});

test('orphaning deletion leaves dependents without the reference', async () => {
  const owner = await create('owner');
  await create('child', ownedBy(owner));
  await api.send('DELETE', `${path}/owner?propagationPolicy=Orphan`);
  await gone(`${path}/owner`);
  const { status, body } = await api.send('GET', `${path}/child`);
  expect(status).toBe(200);
  expect(body.metadata).not.toHaveProperty('ownerReferences');
});

test('a namespace takes all it holds with it, waits for finalizers, and refuses new content meanwhile', async () => {
  await api.send('POST', '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'going' },
  });
  const inside = '/api/v1/namespaces/going/configmaps';
  await eventually(async () =>
    (await api.send('GET', `${inside}/kube-root-ca.crt`)).status === 200 ? true : undefined,
  );
  await create('plain', {}, inside);
  await create('held', { finalizers: ['example.com/wait'] }, inside);
  const { body: deleted } = await api.send('DELETE', '/api/v1/namespaces/going');
  expect(deleted.status.phase).toBe('Terminating');
  await gone(`${inside}/plain`);
  const refused = await api.send('POST', inside, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'late' },
  });
  expect(refused).toMatchObject({
    status: 403,
    body: {
      message:
        'configmaps "late" is forbidden: unable to create new content in namespace going because it is being terminated',
      details: { causes: [{ reason: 'NamespaceTerminating' }] },
    },
  });
  const status = await eventually(async () => {
    const { body } = await api.send('GET', '/api/v1/namespaces/going');
    return body.status.conditions ? body.status : undefined;
  });
  expect(status.conditions).toContainEqual(
    expect.objectContaining({
      type: 'NamespaceFinalizersRemaining',
      status: 'True',
      message:
        'Some content in the namespace has finalizers remaining: example.com/wait in 1 resource instances',
    }),
  );
  await api.send('PATCH', `${inside}/held`, { metadata: { finalizers: null } }, merge);
  await gone('/api/v1/namespaces/going');
});

test('the default account and the published CA come back', async () => {
  const account = '/api/v1/namespaces/default/serviceaccounts/default';
  const { body: before } = await api.send('GET', account);
  await api.send('DELETE', account);
  await api.send('PATCH', `${path}/kube-root-ca.crt`, { data: { 'ca.crt': 'forged' } }, merge);
  const after = await eventually(async () => {
    const { status, body } = await api.send('GET', account);
    return status === 200 ? body : undefined;
  });
  expect(after.metadata.uid).not.toBe(before.metadata.uid);
  await eventually(async () => {
    const { body } = await api.send('GET', `${path}/kube-root-ca.crt`);
    return body.data['ca.crt'] === server.ca ? true : undefined;
  });
});

test('Events are forgotten an hour after they last happened', async () => {
  const events = '/api/v1/namespaces/default/events';
  const event = (name: string) => ({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name },
    involvedObject: { kind: 'ConfigMap', namespace: 'default', name: 'x' },
    lastTimestamp: new Date(clock.now()).toISOString().replace(/\.\d+/, ''),
    reason: 'Tested',
    type: 'Normal',
  });
  expect((await api.send('POST', events, event('old'))).status).toBe(201);
  await clock.advance(hourMs - minuteMs);
  expect((await api.send('POST', events, event('young'))).status).toBe(201);
  await clock.advance(10 * minuteMs);
  await gone(`${events}/old`);
  expect((await api.send('GET', `${events}/young`)).status).toBe(200);
  const { body } = await api.send(
    'GET',
    '/apis/events.k8s.io/v1/namespaces/default/events?fieldSelector=regarding.name%3Dx',
  );
  expect(body.items).toMatchObject([
    { apiVersion: 'events.k8s.io/v1', regarding: { name: 'x' }, metadata: { name: 'young' } },
  ]);
});

test('tokens die with their time, their account and what they are bound to', async () => {
  const accounts = '/api/v1/namespaces/default/serviceaccounts';
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'bob' } };
  const ask = async (spec: Record<string, unknown>) => {
    const { status, body } = await api.send('POST', `${accounts}/bob/token`, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: {},
      spec,
    });
    expect(status, JSON.stringify(body)).toBe(201);
    return body.status.token as string;
  };
  const review = async (token: string, audiences?: string[]) => {
    const { body } = await api.send('POST', '/apis/authentication.k8s.io/v1/tokenreviews', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token, ...(audiences ? { audiences } : {}) },
    });
    return body.status;
  };
  await api.send('POST', accounts, account);
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'anchor' } };
  await api.send('POST', '/api/v1/namespaces/default/secrets', secret);

  const short = await ask({ expirationSeconds: 600, audiences: ['vault', 'other'] });
  const bound = await ask({
    expirationSeconds: 7_200,
    boundObjectRef: { apiVersion: 'v1', kind: 'Secret', name: 'anchor' },
  });
  const plain = await ask({ expirationSeconds: 7_200 });
  expect(await review(short, ['vault', 'strange'])).toMatchObject({
    authenticated: true,
    audiences: ['vault'],
  });
  expect((await review(short, ['strange'])).authenticated).toBeUndefined();
  expect((await review(short)).authenticated).toBeUndefined();
  await clock.advance(600_000);
  expect((await review(short, ['vault'])).error).toContain('expired');

  expect((await review(bound)).authenticated).toBe(true);
  await api.send('DELETE', '/api/v1/namespaces/default/secrets/anchor');
  expect((await review(bound)).authenticated).toBeUndefined();
  expect((await review(plain)).authenticated).toBe(true);
  await api.send('DELETE', `${accounts}/bob`);
  await api.send('POST', accounts, account);
  // Another account of the same name is not the one that it was made for.
  expect((await review(plain)).authenticated).toBeUndefined();
  const forged = `${plain.slice(0, -8)}AAAAAAAA`;
  expect((await review(forged)).error).toContain('invalid bearer token');
});

test('nobody gets nothing, a plain user gets discovery, and roles give more', async () => {
  const nobody = await rawApi(server, null);
  expect(await nobody.send('GET', '/apis')).toMatchObject({ status: 401, body: { reason: 'Unauthorized' } });
  expect((await nobody.send('GET', '/livez')).body).toBe('ok');
  nobody.close();
  const bob = await rawApi(server, 'bob', []);
  try {
    expect((await bob.send('GET', '/apis')).status).toBe(200);
    expect(await bob.send('GET', path)).toMatchObject({
      status: 403,
      body: {
        message:
          'configmaps is forbidden: User "bob" cannot list resource "configmaps" in API group "" in the namespace "default"',
      },
    });
    const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/default';
    await api.send('POST', `${rbac}/roles`, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: 'reader' },
      rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['list'] }],
    });
    await api.send('POST', `${rbac}/rolebindings`, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'bob-reads' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'bob' }],
    });
    expect((await bob.send('GET', path)).status).toBe(200);
    await api.send('POST', `${rbac}/roles`, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: 'maker' },
      rules: [{ apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles'], verbs: ['create', 'patch'] }],
    });
    await api.send('POST', `${rbac}/rolebindings`, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'bob-makes' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'maker' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'bob' }],
    });
    const greedy = { rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['list'] }] };
    expect(await bob.send('PATCH', `${rbac}/roles/reader`, greedy, merge)).toMatchObject({
      status: 403,
      body: { message: expect.stringContaining('attempting to grant RBAC permissions not currently held') },
    });
    const modest = { rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['list'] }] };
    expect((await bob.send('PATCH', `${rbac}/roles/maker`, modest, merge)).status).toBe(200);
    expect((await bob.send('DELETE', `${path}/kube-root-ca.crt`)).status).toBe(403);
    expect((await bob.send('GET', path, undefined, { 'impersonate-user': 'alice' })).status).toBe(403);
  } finally {
    bob.close();
  }
});
