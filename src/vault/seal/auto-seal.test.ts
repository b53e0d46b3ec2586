import { afterEach, expect, test } from 'vitest';
import {
  alteredShare,
  type SealedServer,
  type SealedServerSettings,
  sealedServer,
  unseal,
  unsealed,
} from '../../../test/support/sealed-server.ts';
import { transitServer } from '../../../test/support/transit-server.ts';
import { minuteMs } from '../../base/duration.ts';
import { seededEntropy } from '../../base/entropy.ts';
import { jsonLog } from '../../base/log.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { SecretText } from '../../base/secret.ts';
import { httpClient } from '../../wire/http-client.ts';
import type { AutoSeal } from './auto-seal.ts';
import { staticSeal } from './static-seal.ts';
import { transitSeal } from './transit-seal.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function start(settings: SealedServerSettings): Promise<SealedServer> {
  const server = await sealedServer(settings);
  closing.push(() => server.close());
  return server;
}

const entropy = seededEntropy('auto-seal');
const key = (id: string) => ({ id, key: seededEntropy(`key ${id}`).bytes(32) });
const keptBy = (current: string, previous?: string) =>
  staticSeal({ current: key(current), ...(previous ? { previous: key(previous) } : {}) }, entropy);

test('before it is initialised it says what kind of seal it has', async () => {
  const { call } = await start({ autoSeal: keptBy('one') });
  expect((await call('GET', 'sys/seal-status')).body).toMatchObject({
    ...{ type: 'static', recovery_seal: true, recovery_seal_type: 'shamir' },
    ...{ initialized: false, sealed: true, t: 0, n: 0 },
  });
  expect((await call('GET', 'sys/health')).status).toBe(501);
  for (const [body, message] of [
    [
      { secret_shares: 3, secret_threshold: 2 },
      'parameters secret_shares,secret_threshold not applicable to seal type static',
    ],
    [{}, 'invalid recovery configuration: shares must be at least one'],
    [
      { recovery_shares: 3, recovery_threshold: 1 },
      'invalid recovery configuration: threshold must be greater than one for multiple shares',
    ],
    [
      { recovery_shares: 1, recovery_threshold: 1, recovery_pgp_keys: ['k'] },
      'recovery_pgp_keys: keys are not encrypted with PGP here; leave it out',
    ],
  ] as const) {
    const reply = await call('PUT', 'sys/init', body);
    expect([reply.status, reply.errors]).toEqual([400, [message]]);
  }
  expect((await call('PUT', 'sys/unseal', { key: 'ab'.repeat(16) })).errors).toEqual([
    'Vault is not initialized',
  ]);
});

test('initialised, it is open at once, and opens by itself whenever it starts', async () => {
  const first = await start({ autoSeal: keptBy('one') });
  const { keys, root } = await unsealed(first);
  expect((await first.call('GET', 'sys/seal-status')).body).toMatchObject({
    ...{ initialized: true, sealed: false, t: 2, n: 3, progress: 0 },
  });
  expect((await first.call('GET', 'sys/health')).status).toBe(200);
  const again = await start({ store: first.store, autoSeal: keptBy('one') });
  expect((await again.call('GET', 'sys/health')).status).toBe(200);
  expect((await again.call('GET', 'auth/token/lookup-self', undefined, root)).status).toBe(200);

  // Whoever seals it means it: then it takes people.
  await again.call('PUT', 'sys/seal', undefined, root);
  expect((await again.call('GET', 'sys/health')).status).toBe(503);
  const wrong = await unseal(again, [keys[0]!, alteredShare(keys[1]!)]);
  expect([wrong.status, wrong.errors]).toEqual([
    400,
    ['recovery key verification failed: recovery key does not match submitted values'],
  ]);
  expect((await unseal(again, keys.slice(1))).body).toMatchObject({ sealed: false });
});

test('enough recovery keys replace themselves, and the root key, and make a root token', async () => {
  const server = await start({ autoSeal: keptBy('one') });
  const { call } = server;
  const { keys } = await unsealed(server);
  const begun = (await call('PUT', 'sys/rekey-recovery-key/init', { secret_shares: 2, secret_threshold: 2 }))
    .body;
  const { nonce } = begun;
  expect(begun).toMatchObject({ started: true, n: 2, t: 2, required: 2 });
  await call('PUT', 'sys/rekey-recovery-key/update', { key: keys[0], nonce });
  expect((await call('PUT', 'sys/rekey-recovery-key/update', { key: keys[0], nonce })).errors).toEqual([
    'given key has already been provided during this rekey operation',
  ]);
  const done = (await call('PUT', 'sys/rekey-recovery-key/update', { key: keys[1], nonce })).body;
  const fresh = done.keys as string[];
  expect(done).toMatchObject({ complete: true });

  expect(
    (
      await call('PUT', 'sys/rekey/init', {
        secret_shares: 2,
        secret_threshold: 2,
        require_verification: true,
      })
    ).errors,
  ).toEqual(['requiring verification not supported when rekeying the barrier key with recovery keys']);
  const barrier = (await call('PUT', 'sys/rekey/init', { secret_shares: 5, secret_threshold: 3 })).body;
  expect(barrier).toMatchObject({ started: true, n: 0, t: 0, required: 2 });
  // The ones before are worth nothing.
  await call('PUT', 'sys/rekey/update', { key: keys[0], nonce: barrier.nonce });
  expect((await call('PUT', 'sys/rekey/update', { key: keys[1], nonce: barrier.nonce })).status).toBe(400);
  await call('PUT', 'sys/rekey/update', { key: fresh[0], nonce: barrier.nonce });
  expect((await call('PUT', 'sys/rekey/update', { key: fresh[1], nonce: barrier.nonce })).body).toMatchObject(
    {
      ...{ complete: true, keys: [], keys_base64: [] },
    },
  );

  const generation = (await call('PUT', 'sys/generate-root/attempt')).body;
  await call('PUT', 'sys/generate-root/update', { key: fresh[0], nonce: generation.nonce });
  expect(
    (await call('PUT', 'sys/generate-root/update', { key: fresh[1], nonce: generation.nonce })).body,
  ).toMatchObject({ complete: true });
  const again = await start({ store: server.store, autoSeal: keptBy('one') });
  expect((await again.call('GET', 'sys/seal-status')).body).toMatchObject({ sealed: false, n: 2, t: 2 });
});

test('a static key is replaced by one start with both', async () => {
  const first = await start({ autoSeal: keptBy('one') });
  const { root } = await unsealed(first);
  const alone = await start({ store: first.store, autoSeal: keptBy('two') });
  expect((await alone.call('GET', 'sys/health')).status).toBe(503);
  const both = await start({ store: first.store, autoSeal: keptBy('two', 'one') });
  expect((await both.call('GET', 'sys/health')).status).toBe(200);
  const after = await start({ store: first.store, autoSeal: keptBy('two') });
  expect((await after.call('GET', 'auth/token/lookup-self', undefined, root)).status).toBe(200);
  const before = await start({ store: first.store, autoSeal: keptBy('one') });
  expect((await before.call('GET', 'sys/health')).status).toBe(503);
});

test('a key of the same name that is another one, and a store that was altered, open nothing', async () => {
  const lines: string[] = [];
  const clock = new ManualClock();
  const log = jsonLog(clock, (line) => lines.push(line));
  const first = await start({ autoSeal: keptBy('one') });
  await unsealed(first);
  const impostor = staticSeal({ current: { id: 'one', key: entropy.bytes(32) } }, entropy);
  const other = await start({ store: first.store, autoSeal: impostor, log });
  expect((await other.call('GET', 'sys/health')).status).toBe(503);
  expect(lines.join('')).toMatch(/the key \\"one\\" of the seal is not the one/);
  // Another secret of the same seal in the root key's place does not open it either.
  const recovery = (await first.store.get('seal/recovery-key'))!;
  await first.store.commit({ puts: [{ key: 'seal/root-key', value: recovery.value }] });
  const swapped = await start({ store: first.store, autoSeal: keptBy('one') });
  expect((await swapped.call('GET', 'sys/health')).status).toBe(503);
});

test('a store that another kind of seal has sealed is not served without it', async () => {
  const auto = await start({ autoSeal: keptBy('one') });
  await unsealed(auto);
  await expect(sealedServer({ store: auto.store })).rejects.toMatchObject({
    code: 'vault.seal.type',
    message: 'this server was sealed by seal "static", and no seal is configured',
  });
});

test.each([
  [
    { current: { id: 'one', key: Buffer.alloc(16) } },
    'the key "one" of the seal has 16 bytes, and must have 32',
  ],
  [{ current: key('one'), previous: key('one') }, 'current_key_id and previous_key_id are both "one"'],
])('static keys that make no sense are refused', (keys, message) => {
  expect(() => staticSeal(keys, entropy)).toThrow(message);
});

async function transit(options: { ttl?: number } = {}) {
  const remote = await transitServer(options);
  closing.push(() => remote.close());
  const clock = new ManualClock();
  const lines: string[] = [];
  const log = jsonLog(clock, (line) => lines.push(line));
  const open = (token = 'transit-token'): AutoSeal =>
    transitSeal({
      ...{ clock, log, address: `${remote.address}/`, mountPath: 'transit/', keyName: 'autounseal' },
      ...{ http: httpClient(), token: new SecretText(token), renews: true },
    });
  return { remote, clock, lines, log, open };
}

test('by another Vault’s transit engine it opens, and waits for it where that is away', async () => {
  const { remote, clock, lines, log, open } = await transit();
  const first = await start({ autoSeal: open() });
  const { root } = await unsealed(first);
  expect((await first.call('GET', 'sys/seal-status')).body).toMatchObject({ type: 'transit', sealed: false });

  remote.seal(true);
  const again = await start({ store: first.store, autoSeal: open(), clock, log });
  expect((await again.call('GET', 'sys/health')).status).toBe(503);
  expect(lines.join('')).toContain('transit/decrypt/autounseal answered 503: Vault is sealed');
  // The one that is open goes on.
  expect((await first.call('GET', 'auth/token/lookup-self', undefined, root)).status).toBe(200);
  remote.seal(false);
  await settled(clock, 6_000, async () => (await again.call('GET', 'sys/health')).status === 200);
  expect((await again.call('GET', 'auth/token/lookup-self', undefined, root)).status).toBe(200);
  expect(lines.join('')).not.toContain('transit-token');
});

/** Lets time pass in steps, and real requests be answered in between, until `done`. */
async function settled(clock: ManualClock, stepMs: number, done: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 200; turn++) {
    if (await done()) return;
    await clock.advance(stepMs);
  }
  throw new Error('it does not come to pass');
}

test('a new version of the key locks anew at the next start', async () => {
  const { remote, open } = await transit();
  const first = await start({ autoSeal: open() });
  await unsealed(first);
  const kept = async () => (await first.store.get('seal/root-key'))!.value.toString().split(':')[1];
  expect(await kept()).toBe('v1');
  remote.rotate();
  const again = await start({ store: first.store, autoSeal: open() });
  expect((await again.call('GET', 'sys/health')).status).toBe(200);
  expect(await kept()).toBe('v2');
  expect((await first.store.get('seal/recovery-key'))!.value.toString()).toMatch(/^vault:v2:/);
});

test('a token that is refused is said so, and initialising makes nothing', async () => {
  const { lines, log, open } = await transit();
  const server = await start({ autoSeal: open('another'), log });
  const reply = await server.call('PUT', 'sys/init', { recovery_shares: 1, recovery_threshold: 1 });
  expect([reply.status, reply.errors]).toEqual([
    503,
    ["the seal is out of reach: the server's log tells why"],
  ]);
  expect(lines.join('')).toContain('answered 403: 1 error occurred: * permission denied');
  expect(await server.store.revision()).toBe(0);
  expect((await server.call('GET', 'sys/health')).status).toBe(501);
});

test('its token is renewed in time', async () => {
  const { remote, clock, open } = await transit({ ttl: 300 });
  const seal = open();
  closing.push(async () => seal.close());
  await seal.lock('name', Buffer.from('secret'));
  const renewals = () => remote.asked.filter((path) => path.endsWith('renew-self')).length;
  const lookups = () => remote.asked.filter((path) => path.endsWith('lookup-self')).length;
  await settled(clock, 0, async () => lookups() === 1);
  expect(renewals()).toBe(0);
  remote.age(200);
  await settled(clock, 100_000, async () => renewals() === 1);
  expect(lookups()).toBe(2);
});

test('it is looked after while it is not needed', async () => {
  const { remote, clock, lines, log, open } = await transit();
  const server = await start({ autoSeal: open(), clock, log });
  await unsealed(server);
  remote.seal(true);
  await settled(clock, 10 * minuteMs, async () =>
    lines.join('').includes('a restart would leave this server sealed'),
  );
  expect((await server.call('GET', 'sys/health')).status).toBe(200);
  const seen = (await server.call('GET', 'sys/seal-backend-status')).body;
  expect(seen).toEqual({
    ...{ healthy: false, unhealthy_since: expect.stringMatching(/^2026-01-01T00:\d0:00Z$/) },
    backends: [{ name: 'transit', healthy: false, unhealthy_since: seen.unhealthy_since }],
  });
  remote.seal(false);
  await settled(clock, minuteMs, async () => lines.join('').includes('the seal works again'));
  expect((await server.call('GET', 'sys/seal-backend-status')).body.healthy).toBe(true);
});
