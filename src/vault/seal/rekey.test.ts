import { afterEach, expect, test } from 'vitest';
import {
  alteredShare,
  type SealedServer,
  type SealedServerSettings,
  sealedServer,
  unseal,
  unsealed,
} from '../../../test/support/sealed-server.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function start(settings?: SealedServerSettings): Promise<SealedServer> {
  const server = await sealedServer(settings);
  closing.push(() => server.close());
  return server;
}

const nothing = {
  nonce: '',
  started: false,
  ...{ t: 0, n: 0, progress: 0, required: 2 },
  ...{ pgp_fingerprints: null, backup: false, verification_required: false },
};

test('sealed, nothing of it is answered', async () => {
  const server = await start();
  for (const path of ['rekey/init', 'rekey/verify', 'generate-root/attempt', 'rekey-recovery-key/init']) {
    const reply = await server.call('GET', `sys/${path}`);
    expect([path, reply.status, reply.errors]).toEqual([path, 503, ['Vault is sealed']]);
  }
});

test('enough shares of the present key make new ones, and the old are worth nothing from then on', async () => {
  const server = await start();
  const { call } = server;
  const { keys, root } = await unsealed(server);
  expect((await call('GET', 'sys/rekey/init')).body).toEqual(nothing);
  const begun = await call('PUT', 'sys/rekey/init', { secret_shares: 4, secret_threshold: 3 });
  const nonce = begun.body.nonce as string;
  expect(begun.body).toEqual({ ...nothing, nonce, started: true, t: 3, n: 4 });
  expect((await call('PUT', 'sys/rekey/init', { secret_shares: 1, secret_threshold: 1 })).errors).toEqual([
    'rekey already in progress',
  ]);
  expect((await call('PUT', 'sys/rekey/update', { key: keys[0] })).errors).toEqual([
    `incorrect nonce supplied; nonce for this rekey operation is "${nonce}"`,
  ]);
  expect((await call('PUT', 'sys/rekey/update', { key: keys[0], nonce })).body).toMatchObject({
    progress: 1,
  });
  expect((await call('PUT', 'sys/rekey/update', { key: keys[0], nonce })).errors).toEqual([
    'given key has already been provided during this generation operation',
  ]);
  const done = await call('PUT', 'sys/rekey/update', { key: keys[2], nonce });
  expect(done.body).toMatchObject({ nonce, complete: true, verification_required: false });
  const fresh = done.body.keys as string[];
  expect(fresh).toHaveLength(4);
  expect(fresh.map((key) => Buffer.from(key, 'hex').toString('base64'))).toEqual(done.body.keys_base64);
  expect((await call('GET', 'sys/rekey/init')).body).toEqual({ ...nothing, required: 3 });

  // What is behind the barrier goes on, and can still be rotated.
  expect((await call('PUT', 'sys/rotate', undefined, root)).status).toBe(204);
  await call('PUT', 'sys/seal', undefined, root);
  expect((await unseal(server, keys)).status).toBe(400);
  expect((await unseal(server, fresh.slice(1))).body).toMatchObject({ sealed: false, n: 4, t: 3 });
  expect((await call('GET', 'auth/token/lookup-self', undefined, root)).status).toBe(200);
  expect((await call('GET', 'sys/key-status', undefined, root)).data.term).toBe(2);
});

test('a restart knows the new shares only', async () => {
  const server = await start();
  const { keys } = await unsealed(server, 1, 1);
  const { nonce } = (await server.call('PUT', 'sys/rekey/init', { secret_shares: 1, secret_threshold: 1 }))
    .body;
  const { body } = await server.call('PUT', 'sys/rekey/update', { key: keys[0], nonce });
  const again = await start({ store: server.store });
  expect((await unseal(again, keys)).status).toBe(400);
  expect((await unseal(again, body.keys as string[])).body).toMatchObject({ sealed: false });
});

test('where it was asked for, new shares count only once enough of them came back', async () => {
  const server = await start();
  const { call } = server;
  const { keys, root } = await unsealed(server);
  const asked = { secret_shares: 2, secret_threshold: 2, require_verification: true };
  const { nonce } = (await call('PUT', 'sys/rekey/init', asked)).body;
  expect((await call('GET', 'sys/rekey/verify')).body).toEqual({
    nonce: '',
    started: false,
    t: 2,
    n: 2,
    progress: 0,
  });
  await call('PUT', 'sys/rekey/update', { key: keys[0], nonce });
  const told = (await call('PUT', 'sys/rekey/update', { key: keys[1], nonce })).body;
  const fresh = told.keys as string[];
  let verification = told.verification_nonce as string;
  expect(told).toMatchObject({ complete: true, verification_required: true });
  expect((await call('GET', 'sys/rekey/init')).body).toMatchObject({
    ...{ started: true, progress: 0, required: 2 },
    verification_nonce: verification,
  });
  expect((await call('PUT', 'sys/rekey/update', { key: keys[0], nonce })).errors).toEqual([
    `rekey operation already finished; verification must be performed; nonce for the verification operation is "${verification}"`,
  ]);
  expect((await call('PUT', 'sys/rekey/verify', { key: keys[0], nonce })).errors).toEqual([
    `incorrect nonce supplied; nonce for this verify operation is "${verification}"`,
  ]);
  // Shares that are not the new ones are dropped, and the attempt takes another name.
  await call('PUT', 'sys/rekey/verify', { key: keys[0], nonce: verification });
  expect((await call('PUT', 'sys/rekey/verify', { key: keys[0], nonce: verification })).errors).toEqual([
    'given key has already been provided during this verify operation',
  ]);
  const wrong = await call('PUT', 'sys/rekey/verify', { key: keys[1], nonce: verification });
  expect([wrong.status, wrong.errors]).toEqual([
    400,
    ['rekey verification failed; incorrect key shares supplied'],
  ]);
  const restarted = (await call('DELETE', 'sys/rekey/verify')).body;
  expect(restarted).toMatchObject({ started: true, progress: 0 });
  expect(restarted.nonce).not.toBe(verification);
  verification = restarted.nonce as string;
  expect((await call('PUT', 'sys/rekey/verify', { key: fresh[1], nonce: verification })).body).toMatchObject({
    progress: 1,
  });
  // Until then the old shares are the ones.
  const other = await start({ store: server.store });
  expect((await unseal(other, keys.slice(1))).body).toMatchObject({ sealed: false });
  expect((await call('PUT', 'sys/rekey/verify', { key: fresh[0], nonce: verification })).body).toEqual({
    nonce: verification,
    complete: true,
  });
  await call('PUT', 'sys/seal', undefined, root);
  expect((await unseal(server, fresh)).body).toMatchObject({ sealed: false, n: 2, t: 2 });
});

test('wrong shares are dropped, and nothing is changed', async () => {
  const server = await start();
  const { keys } = await unsealed(server);
  const before = await server.store.revision();
  const { nonce } = (await server.call('PUT', 'sys/rekey/init', { secret_shares: 1, secret_threshold: 1 }))
    .body;
  await server.call('PUT', 'sys/rekey/update', { key: keys[0], nonce });
  const refused = await server.call('PUT', 'sys/rekey/update', { key: alteredShare(keys[1]!), nonce });
  expect([refused.status, refused.errors]).toEqual([
    500,
    [
      'failed to read root key: invalid key: failed to decrypt keys from storage: cipher: message authentication failed',
    ],
  ]);
  expect((await server.call('GET', 'sys/rekey/init')).body).toMatchObject({
    started: true,
    nonce,
    progress: 0,
  });
  expect((await server.call('DELETE', 'sys/rekey/init')).status).toBe(204);
  expect((await server.call('GET', 'sys/rekey/init')).body).toEqual(nothing);
  expect(await server.store.revision()).toBe(before);
});

test.each([
  ['init', {}, 500, 'invalid rekey seal configuration: shares must be at least one'],
  [
    'init',
    { secret_shares: 3, secret_threshold: 1 },
    500,
    'invalid rekey seal configuration: threshold must be greater than one for multiple shares',
  ],
  [
    'init',
    { secret_shares: 2, secret_threshold: 2, backup: true },
    400,
    'cannot request a backup of the new keys without providing PGP keys for encryption, which are not supported here',
  ],
  [
    'init',
    { secret_shares: 1, secret_threshold: 1, pgp_keys: ['a'] },
    400,
    'pgp_keys: keys are not encrypted with PGP here; leave it out',
  ],
  ['update', {}, 400, "'key' must be specified in request body as JSON"],
  ['update', { key: 'zz' }, 400, "'key' must be a valid hex or base64 string"],
  ['update', { key: 'QUJDRA==' }, 400, 'key is shorter than minimum 16 bytes'],
  ['update', { key: 'ab'.repeat(33) }, 400, 'no barrier rekey in progress'],
  ['verify', { key: 'ab'.repeat(33) }, 400, 'no rekey in progress'],
])('PUT sys/rekey/%s with %j is refused', async (path, body, status, message) => {
  const server = await start();
  await unsealed(server, 1, 1);
  const reply = await server.call('PUT', `sys/rekey/${path}`, body);
  expect([reply.status, reply.errors]).toEqual([status, [message]]);
  expect((await server.call('GET', 'sys/rekey/init')).body.started).toBe(false);
  expect((await server.call('GET', 'sys/rekey/verify')).errors).toEqual(['no rekey configuration found']);
});

test('there is no backup of keys, since none are encrypted', async () => {
  const server = await start();
  const { root } = await unsealed(server);
  for (const path of ['sys/rekey/backup', 'sys/rekey/recovery-key-backup']) {
    expect((await server.call('GET', path)).status).toBe(403);
    const read = await server.call('GET', path, undefined, root);
    expect([read.status, read.errors]).toEqual([400, ['no backed-up keys found']]);
    expect((await server.call('DELETE', path, undefined, root)).status).toBe(204);
  }
});

test('without a recovery key there is none to replace', async () => {
  const server = await start();
  const { keys, root } = await unsealed(server);
  for (const [method, path, body] of [
    ['GET', 'init', undefined],
    ['PUT', 'init', { secret_shares: 1, secret_threshold: 1 }],
    ['PUT', 'update', { key: keys[0], nonce: 'n' }],
    ['GET', 'verify', undefined],
  ] as const) {
    const reply = await server.call(method, `sys/rekey-recovery-key/${path}`, body);
    expect([reply.status, reply.errors]).toEqual([400, ['recovery rekeying not supported']]);
  }
  expect((await server.call('GET', 'sys/rotate/recovery/init', undefined, root)).status).toBe(400);
});

test('by OpenBao’s paths the same takes a token', async () => {
  const server = await start();
  const { call } = server;
  const { keys, root } = await unsealed(server);
  expect((await call('GET', 'sys/rotate/root/init')).status).toBe(403);
  const body = { secret_shares: '2', secret_threshold: 2, require_verification: true };
  const { nonce } = (await call('PUT', 'sys/rotate/root/init', body, root)).data;
  // One attempt, whatever path it is looked at by.
  expect((await call('GET', 'sys/rekey/init')).body).toMatchObject({ nonce, started: true, n: 2 });
  await call('PUT', 'sys/rotate/root/update', { key: keys[0], nonce }, root);
  const told = (await call('PUT', 'sys/rotate/root/update', { key: keys[1], nonce }, root)).data;
  const [first, second] = told.keys as [string, string];
  const verify = { nonce: told.verification_nonce };
  expect((await call('PUT', 'sys/rotate/root/verify', { key: first, ...verify }, root)).data.progress).toBe(
    1,
  );
  expect((await call('DELETE', 'sys/rotate/root/verify', undefined, root)).data.progress).toBe(0);
  expect((await call('DELETE', 'sys/rotate/root/init', undefined, root)).status).toBe(204);
  expect((await call('GET', 'sys/rotate/root/verify', undefined, root)).status).toBe(400);
  expect(second).not.toBe(first);
});

test('a rekey under way does not outlive sealing', async () => {
  const server = await start();
  const { keys, root } = await unsealed(server);
  const { nonce } = (await server.call('PUT', 'sys/rekey/init', { secret_shares: 1, secret_threshold: 1 }))
    .body;
  await server.call('PUT', 'sys/rekey/update', { key: keys[0], nonce });
  await server.call('PUT', 'sys/generate-root/attempt');
  await server.call('PUT', 'sys/seal', undefined, root);
  await unseal(server, keys.slice(1));
  expect((await server.call('GET', 'sys/rekey/init')).body).toEqual(nothing);
  expect((await server.call('GET', 'sys/generate-root/attempt')).body.started).toBe(false);
});
