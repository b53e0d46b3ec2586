import * as fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { type SealedServer, sealedServer, unseal, unsealed } from '../../../test/support/sealed-server.ts';
import { dayMs, hourMs, minuteMs } from '../../base/duration.ts';
import { Fault } from '../../base/fault.ts';
import { checkRotationConfig, rotationDue } from './key-rotation.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function start(): Promise<SealedServer> {
  const server = await sealedServer();
  closing.push(() => server.close());
  return server;
}

const config = { enabled: true, maxOperations: 1_000_000, intervalMs: 2 * dayMs };

test.each([
  [{ encryptions: 999_999, ageMs: 0 }, undefined],
  [{ encryptions: 1_000_000, ageMs: 0 }, 'maximum of encryptions reached'],
  [{ encryptions: 0, ageMs: 2 * dayMs - 1 }, undefined],
  [{ encryptions: 0, ageMs: 2 * dayMs }, 'interval passed'],
])('with %j a new key is due: %s', ({ encryptions, ageMs }, due) => {
  const key = { term: 1, installedMs: 1_000, encryptions };
  expect(rotationDue(config, key, 1_000 + ageMs)).toBe(due);
  expect(rotationDue({ ...config, enabled: false }, key, 1_000 + ageMs)).toBeUndefined();
});

test('no accepted setting lets a key be used as often as its nonces could meet', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.maxSafeInteger(), (maxOperations, intervalMs) => {
      try {
        checkRotationConfig({ enabled: true, maxOperations, intervalMs });
      } catch (error) {
        expect((error as Fault).code).toBe('vault.request.invalid');
        return;
      }
      const key = { term: 1, installedMs: 0, encryptions: 2 ** 32 * 0.9 + 1 };
      expect(rotationDue({ enabled: true, maxOperations, intervalMs }, key, 0)).toBeDefined();
    }),
  );
});

test('the settings are read, changed and kept', async () => {
  const server = await start();
  const { call } = server;
  const { keys, root } = await unsealed(server);
  const standard = { enabled: true, interval: 0, max_operations: 3_865_470_566 };
  expect((await call('GET', 'sys/rotate/config')).status).toBe(403);
  expect((await call('GET', 'sys/rotate/config', undefined, root)).data).toEqual(standard);
  for (const [body, message] of [
    [{ max_operations: 5 }, 'max_operations must be in the range [1000000,3865470566]'],
    [{ max_operations: 2 ** 32 }, 'max_operations must be in the range [1000000,3865470566]'],
    [{ interval: '1h' }, 'interval must be greater or equal to 24h0m0s'],
  ] as const) {
    const reply = await call('PUT', 'sys/rotate/config', body, root);
    expect([reply.status, reply.errors]).toEqual([400, [message]]);
  }
  expect((await call('PUT', 'sys/rotate/config', { interval: '36h', enabled: false }, root)).status).toBe(
    204,
  );
  const changed = { enabled: false, interval: '36h0m0s', max_operations: 3_865_470_566 };
  expect((await call('GET', 'sys/rotate/keyring/config', undefined, root)).data).toEqual(changed);
  await call('PUT', 'sys/seal', undefined, root);
  await unseal(server, keys);
  expect((await call('GET', 'sys/rotate/config', undefined, root)).data).toEqual(changed);
});

test('a key that has become too old is replaced without anyone asking', async () => {
  const server = await start();
  const { call, clock } = server;
  const { keys, root } = await unsealed(server);
  await call('PUT', 'sys/rotate/config', { interval: '24h' }, root);
  const term = async () => (await call('GET', 'sys/key-status', undefined, root)).data.term;
  await clock.advance(23 * hourMs);
  expect(await term()).toBe(1);
  await clock.advance(hourMs + 5 * minuteMs);
  expect(await term()).toBe(2);
  // Once: the new one is young.
  await clock.advance(hourMs);
  expect(await term()).toBe(2);
  await call('PUT', 'sys/seal', undefined, root);
  await clock.advance(3 * dayMs);
  await unseal(server, keys);
  expect(await term()).toBe(2);
  await clock.advance(5 * minuteMs);
  expect(await term()).toBe(3);
});

test('how often a key was used is counted over sealing and restarts', async () => {
  const server = await start();
  const { call, clock } = server;
  const { keys, root } = await unsealed(server);
  const encryptions = async () =>
    (await call('GET', 'sys/key-status', undefined, root)).data.encryptions as number;
  const before = await encryptions();
  const policy = { policy: 'path "a" { capabilities = ["read"] }' };
  for (let at = 0; at < 5; at++) await call('PUT', `sys/policies/acl/p${at}`, policy, root);
  const after = await encryptions();
  expect(after).toBeGreaterThanOrEqual(before + 5);
  await clock.advance(6 * minuteMs);
  // Keeping the count is one more; nothing is written for nothing.
  const kept = await encryptions();
  expect(kept).toBe(after + 1);
  const revision = await server.store.revision();
  await clock.advance(hourMs);
  expect(await server.store.revision()).toBe(revision);
  await call('PUT', 'sys/policies/acl/last', policy, root);
  await call('PUT', 'sys/seal', undefined, root);
  await unseal(server, keys);
  expect(await encryptions()).toBeGreaterThan(kept);
  await call('PUT', 'sys/rotate', undefined, root);
  expect(await encryptions()).toBeLessThan(kept);
});

test('stepping down does nothing where there is nobody to step up', async () => {
  const server = await start();
  expect((await server.call('PUT', 'sys/step-down')).status).toBe(204);
  await unsealed(server);
  expect((await server.call('PUT', 'sys/step-down')).status).toBe(204);
  expect((await server.call('GET', 'sys/step-down')).status).toBe(405);
  expect((await server.call('GET', 'sys/health')).status).toBe(200);
});
