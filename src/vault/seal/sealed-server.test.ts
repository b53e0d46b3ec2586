import { afterEach, expect, test } from 'vitest';
import { callVault, noSinks, type VaultReply } from '../../../test/support/vault.ts';
import { seededEntropy } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import { silentLog } from '../../base/log.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { memoryStore } from '../../store/memory.ts';
import type { Store } from '../../store/store.ts';
import { systemDialer } from '../../wire/dialer.ts';
import { formatAddress } from '../../wire/http-server.ts';
import { startSealedVault } from './sealed-server.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

type Call = (method: string, path: string, body?: unknown, token?: string) => Promise<VaultReply>;

async function start(store: Store, seed = 'sealed'): Promise<Call> {
  const server = await startSealedVault({
    store,
    clock: new ManualClock(),
    entropy: seededEntropy(seed),
    log: silentLog,
    openSink: noSinks,
    dialer: systemDialer,
    listeners: [{ at: { host: '127.0.0.1', port: 0 } }],
  });
  closing.push(() => server.close());
  const endpoint = `http://${formatAddress(server.addresses[0]!)}`;
  return (method, path, body, token = '') => callVault(endpoint, { method, path, body, token });
}

interface Keys {
  keys: string[];
  base64: string[];
  root: string;
}

async function initialised(call: Call, shares = 3, threshold = 2): Promise<Keys> {
  const { status, body } = await call('PUT', 'sys/init', {
    secret_shares: shares,
    secret_threshold: threshold,
  });
  expect(status).toBe(200);
  return {
    keys: body.keys as string[],
    base64: body.keys_base64 as string[],
    root: body.root_token as string,
  };
}

async function unseal(call: Call, ...shares: readonly string[]): Promise<VaultReply> {
  let reply = await call('GET', 'sys/seal-status');
  for (const key of shares) reply = await call('PUT', 'sys/unseal', { key });
  return reply;
}

const sealedBody = { errors: ['Vault is sealed'] };

test('an empty store waits to be initialised, and answers for nothing else', async () => {
  const call = await start(memoryStore());
  expect((await call('GET', 'sys/init')).body).toEqual({ initialized: false });
  expect((await call('GET', 'sys/seal-status')).body).toMatchObject({
    initialized: false,
    sealed: true,
    t: 0,
    n: 0,
  });
  const health = await call('GET', 'sys/health');
  expect([health.status, health.body.sealed, health.body.standby]).toEqual([501, true, true]);
  expect((await call('GET', 'sys/health?uninitcode=250')).status).toBe(250);
  expect((await call('HEAD', 'sys/health?uninitcode=251')).status).toBe(251);
  expect((await call('PUT', 'sys/unseal', { key: 'a'.repeat(64) })).errors).toEqual([
    'Vault is not initialized',
  ]);
  for (const path of ['sys/mounts', 'foo/bar', 'auth/token/lookup-self', 'pki/ca/pem']) {
    const reply = await call('GET', path, undefined, 'any');
    expect([reply.status, reply.body]).toEqual([503, sealedBody]);
  }
});

test.each([
  [{}, 'invalid seal configuration: shares must be at least one'],
  [{ secret_shares: 5 }, 'invalid seal configuration: threshold must be at least one'],
  [
    { secret_shares: 5, secret_threshold: 1 },
    'invalid seal configuration: threshold must be greater than one for multiple shares',
  ],
  [
    { secret_shares: 5, secret_threshold: 6 },
    'invalid seal configuration: threshold cannot be larger than shares',
  ],
  [{ secret_shares: 300, secret_threshold: 3 }, 'invalid seal configuration: shares must be less than 256'],
  [
    { secret_shares: 2, secret_threshold: 2, recovery_shares: 1, recovery_threshold: 1 },
    'parameters recovery_shares,recovery_threshold not applicable to seal type shamir',
  ],
  [
    { secret_shares: 2, secret_threshold: 2, pgp_keys: ['a', 'b'] },
    'pgp_keys: keys are not encrypted with PGP here; leave it out',
  ],
  [{ secret_shares: '5' }, 'failed to parse JSON input: secret_shares must be a whole number'],
])('initialising with %j is refused and makes nothing', async (body, message) => {
  const store = memoryStore();
  const call = await start(store);
  const reply = await call('PUT', 'sys/init', body);
  expect([reply.status, reply.errors]).toEqual([400, [message]]);
  expect(await store.revision()).toBe(0);
});

test('initialised, it stays sealed until enough shares came, in any order and either spelling', async () => {
  const call = await start(memoryStore());
  const { keys, base64, root } = await initialised(call, 5, 3);
  expect(keys).toHaveLength(5);
  expect(keys.map((key) => Buffer.from(key, 'hex').toString('base64'))).toEqual(base64);
  const again = await call('PUT', 'sys/init', { secret_shares: 1, secret_threshold: 1 });
  expect([again.status, again.errors]).toEqual([400, ['Vault is already initialized']]);
  expect((await call('GET', 'sys/health')).status).toBe(503);
  expect((await call('GET', 'sys/health?sealedcode=299')).status).toBe(299);
  expect((await call('GET', 'sys/mounts', undefined, root)).body).toEqual(sealedBody);

  const first = (await unseal(call, keys[4]!)).body;
  expect(first).toMatchObject({ type: 'shamir', sealed: true, t: 3, n: 5, progress: 1 });
  expect(first.nonce).toMatch(/^[0-9a-f-]{36}$/);
  // The same share twice is one.
  expect((await unseal(call, base64[4]!)).body).toMatchObject({ progress: 1, nonce: first.nonce });
  expect((await unseal(call, base64[0]!)).body).toMatchObject({ progress: 2, nonce: first.nonce });
  const last = (await unseal(call, keys[2]!.toUpperCase())).body;
  expect(last).toMatchObject({ sealed: false, progress: 0, nonce: '', t: 3, n: 5 });
  expect(last.cluster_name).toMatch(/^vault-cluster-/);
  expect((await call('GET', 'sys/health')).status).toBe(200);
  expect((await call('GET', 'sys/mounts', undefined, root)).status).toBe(200);
  const self = await call('GET', 'auth/token/lookup-self', undefined, root);
  expect(self.data).toMatchObject({
    path: 'auth/token/root',
    display_name: 'root',
    ttl: 0,
    policies: ['root'],
  });
  // One more share does no harm, and a reset makes no sense.
  expect((await unseal(call, keys[0]!)).body).toMatchObject({ sealed: false });
  expect((await call('PUT', 'sys/unseal', { reset: true })).errors).toEqual(['vault is unsealed']);
});

test('a single share is the key itself', async () => {
  const call = await start(memoryStore());
  const { keys } = await initialised(call, 1, 1);
  expect(Buffer.from(keys[0]!, 'hex').length).toBe(32);
  expect((await unseal(call, 'ab'.repeat(32))).status).toBe(400);
  expect((await unseal(call, keys[0]!)).body).toMatchObject({ sealed: false });
});

test('wrong shares get the reason and change nothing; a reset starts over', async () => {
  const store = memoryStore();
  const call = await start(store);
  const { keys } = await initialised(call);
  const revision = await store.revision();
  const wrong = `${keys[1]!.startsWith('00') ? '01' : '00'}${keys[1]!.slice(2)}`;
  const refused = await unseal(call, keys[0]!, wrong);
  expect([refused.status, refused.errors]).toEqual([
    400,
    [
      'unable to retrieve stored keys: invalid key: failed to decrypt keys from storage: cipher: message authentication failed',
    ],
  ]);
  expect((await call('GET', 'sys/seal-status')).body).toMatchObject({ sealed: true, progress: 0, nonce: '' });
  expect((await unseal(call, keys[0]!, keys[1]!.slice(2))).errors).toEqual([
    'invalid key: failed to compute combined key: all parts must be the same length',
  ]);
  expect((await unseal(call, keys[0]!)).body).toMatchObject({ progress: 1 });
  expect((await call('PUT', 'sys/unseal', { reset: true })).body).toMatchObject({ progress: 0, nonce: '' });
  for (const [body, message] of [
    [{}, "'key' must be specified in request body as JSON, or 'reset' set to true"],
    [{ key: 'zz' }, "'key' must be a valid hex or base64 string"],
    [{ key: 'aa' }, "'key' must be a valid hex or base64 string"],
    [{ key: `${keys[0]!}aa` }, 'invalid key: key is longer than maximum 33 bytes'],
    [{ key: 'QUJDRA==' }, 'invalid key: key is shorter than minimum 16 bytes'],
  ] as const) {
    const reply = await call('PUT', 'sys/unseal', body);
    expect([reply.status, reply.errors]).toEqual([400, [message]]);
  }
  expect(await store.revision()).toBe(revision);
  expect((await unseal(call, keys[2]!, keys[0]!)).body).toMatchObject({ sealed: false });
});

test('sealing takes sudo, forgets the keys, and the same shares unseal what was there', async () => {
  const call = await start(memoryStore());
  const { keys, root } = await initialised(call);
  await unseal(call, keys[0]!, keys[1]!);
  await call('POST', 'sys/mounts/pki', { type: 'pki' }, root);
  await call(
    'PUT',
    'sys/policies/acl/near',
    { policy: 'path "sys/seal" { capabilities = ["update"] }' },
    root,
  );
  const near = (await call('POST', 'auth/token/create', { policies: ['near'] }, root)).auth
    .client_token as string;
  expect((await call('PUT', 'sys/seal')).status).toBe(403);
  expect((await call('PUT', 'sys/seal', undefined, near)).status).toBe(403);
  expect((await call('GET', 'sys/seal', undefined, root)).status).toBe(405);
  expect((await call('PUT', 'sys/seal', undefined, root)).status).toBe(204);
  expect((await call('GET', 'sys/mounts', undefined, root)).body).toEqual(sealedBody);
  expect((await call('GET', 'sys/leader')).status).toBe(200);
  // Sealing what is sealed does nothing.
  expect((await call('PUT', 'sys/seal')).status).toBe(204);
  await unseal(call, keys[1]!, keys[2]!);
  expect((await call('GET', 'sys/mounts', undefined, root)).data).toHaveProperty(['pki/']);
});

test('requests under way when it is sealed are answered, and nothing comes after', async () => {
  const call = await start(memoryStore());
  const { keys, root } = await initialised(call);
  await unseal(call, keys[0]!, keys[1]!);
  const replies = await Promise.all([
    ...Array.from({ length: 8 }, () => call('POST', 'auth/token/create', { policies: ['default'] }, root)),
    call('PUT', 'sys/seal', undefined, root),
    ...Array.from({ length: 8 }, () => call('POST', 'auth/token/create', { policies: ['default'] }, root)),
  ]);
  for (const { status, body } of replies) {
    if (status >= 400) expect([status, body]).toEqual([503, sealedBody]);
  }
  await unseal(call, keys[0]!, keys[1]!);
  for (const { auth } of replies.filter(({ status }) => status === 200)) {
    expect((await call('GET', 'auth/token/lookup-self', undefined, auth.client_token as string)).status).toBe(
      200,
    );
  }
});

test('a restart is sealed again, and the store says nothing without the shares', async () => {
  const store = memoryStore();
  let call = await start(store);
  const { keys, root } = await initialised(call);
  await unseal(call, keys[0]!, keys[1]!);
  await closing.pop()!();
  for (const { key, value } of await store.list({ prefix: '' })) {
    for (const secret of [root, ...keys.map((share) => Buffer.from(share, 'hex'))]) {
      expect([key, value.includes(secret)]).toEqual([key, false]);
    }
    if (key !== 'seal/config') expect([key, value.readUInt32BE(0)]).toEqual([key, 1]);
  }
  call = await start(store, 'later');
  expect((await call('GET', 'sys/seal-status')).body).toMatchObject({
    initialized: true,
    sealed: true,
    t: 2,
    n: 3,
  });
  await unseal(call, keys[2]!, keys[0]!);
  expect((await call('GET', 'sys/mounts', undefined, root)).status).toBe(200);
});

test('two at once initialise once', async () => {
  const call = await start(memoryStore());
  const body = { secret_shares: 1, secret_threshold: 1 };
  const replies = await Promise.all([call('PUT', 'sys/init', body), call('PUT', 'sys/init', body)]);
  expect(replies.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 400]);
});

test('a store of another making is refused and left alone', async () => {
  const store = memoryStore();
  await store.commit({ puts: [{ key: 'core/cluster', value: Buffer.from('{}') }] });
  await expect(start(store)).rejects.toEqual(expect.objectContaining({ code: 'vault.seal.foreign' }));
  expect(await store.revision()).toBe(1);
});

test('initialising is one commit: where that fails nothing was made, and it can be tried again', async () => {
  const inner = memoryStore();
  let commits = 0;
  const store: Store = {
    ...inner,
    async commit(batch) {
      commits += 1;
      if (commits === 1)
        throw new Fault('the disk is full', { code: 'store.unavailable', blame: 'operator' });
      return inner.commit(batch);
    },
  };
  const call = await start(store);
  expect((await call('PUT', 'sys/init', { secret_shares: 2, secret_threshold: 2 })).status).toBe(503);
  expect((await call('GET', 'sys/init')).body).toEqual({ initialized: false });
  expect(await inner.revision()).toBe(0);
  const { keys } = await initialised(call);
  expect(commits).toBe(2);
  expect((await unseal(call, keys[0]!, keys[1]!)).body).toMatchObject({ sealed: false });
});

test('a rotated key takes what is written from then on, and outlives sealing and a restart', async () => {
  const store = memoryStore();
  let call = await start(store);
  const { keys, root } = await initialised(call);
  await unseal(call, keys[0]!, keys[1]!);
  const termOf = async (name: string) =>
    (await store.list({ prefix: name })).map(({ value }) => value.readUInt32BE(0));
  const policy = { policy: 'path "a" { capabilities = ["read"] }' };
  await call('PUT', 'sys/policies/acl/before', policy, root);
  const first = await call('GET', 'sys/key-status', undefined, root);
  expect([first.data.term, first.body.term]).toEqual([1, 1]);
  expect(first.data.install_time).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);

  await call('PUT', 'sys/policies/acl/near', { policy: 'path "sys/*" { capabilities = ["update"] }' }, root);
  const near = (await call('POST', 'auth/token/create', { policies: ['near'] }, root)).auth
    .client_token as string;
  expect((await call('PUT', 'sys/rotate', undefined, near)).status).toBe(403);
  expect((await call('PUT', 'sys/rotate', undefined, root)).status).toBe(204);
  expect((await call('GET', 'sys/key-status', undefined, root)).data.term).toBe(2);
  await call('PUT', 'sys/policies/acl/after', policy, root);
  expect(new Set(await termOf(''))).toContain(2);

  await closing.pop()!();
  call = await start(store, 'later');
  await unseal(call, keys[2]!, keys[1]!);
  expect((await call('GET', 'sys/key-status', undefined, root)).data.term).toBe(2);
  for (const name of ['before', 'after']) {
    expect((await call('GET', `sys/policies/acl/${name}`, undefined, root)).data.policy).toBe(policy.policy);
  }
  expect((await call('PUT', 'sys/rotate/keyring', undefined, root)).status).toBe(204);
  expect((await call('GET', 'sys/key-status', undefined, root)).data.term).toBe(3);
});

test('a damaged keyring is not blamed on who brought the right shares', async () => {
  const store = memoryStore();
  const call = await start(store);
  const { keys } = await initialised(call);
  const ring = (await store.get('seal/keyring'))!;
  await store.commit({ deletes: ['seal/keyring'] });
  expect((await unseal(call, keys[0]!, keys[1]!)).status).toBe(500);
  expect((await call('GET', 'sys/seal-status')).body).toMatchObject({ sealed: true, progress: 0 });
  await store.commit({ puts: [{ key: 'seal/keyring', value: ring.value }] });
  expect((await unseal(call, keys[0]!, keys[1]!)).body).toMatchObject({ sealed: false });
});
