import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hourMs } from '../src/base/duration.ts';
import { type TestVault, testVault } from './support/vault.ts';

let vault: TestVault;
beforeEach(async () => {
  vault = await testVault();
  await vault.call('POST', 'sys/mounts/pki', { type: 'pki' });
});
afterEach(() => vault.close());

async function root(name: string): Promise<void> {
  const { errors } = await vault.call('POST', 'pki/root/generate/internal', {
    ...{ common_name: name, issuer_name: name, key_type: 'ec', ttl: '700h' },
  });
  expect(errors).toEqual([]);
}

async function get(path: string, since?: string) {
  const headers = since === undefined ? {} : { 'if-modified-since': since };
  const answer = await fetch(`${vault.endpoint}/v1/${path}`, { headers });
  return {
    status: answer.status,
    body: await answer.text(),
    modified: answer.headers.get('last-modified') ?? undefined,
    caching: answer.headers.get('cache-control'),
  };
}

const caPaths = [
  'pki/ca',
  'pki/ca/pem',
  'pki/cert/ca',
  'pki/cert/ca/raw',
  'pki/cert/ca/raw/pem',
  'pki/ca_chain',
  'pki/cert/ca_chain',
  'pki/issuer/default/json',
  'pki/issuer/default/pem',
  'pki/issuer/default/der',
];
const crlPaths = [
  'pki/crl',
  'pki/crl/pem',
  'pki/cert/crl',
  'pki/cert/crl/raw',
  'pki/cert/crl/raw/pem',
  'pki/issuer/default/crl',
  'pki/issuer/default/crl/der',
  'pki/issuer/default/crl/pem',
];

describe.each([...caPaths, ...crlPaths])('%s', (path) => {
  test('is not told again to who has it, until another is the default', async () => {
    await root('first');
    await root('second');
    const whole = await get(path);
    expect([whole.status, whole.caching]).toEqual([200, 'no-cache']);
    const same = await get(path, whole.modified);
    expect([same.status, same.body, same.modified]).toEqual([304, '', whole.modified]);
    const later = new Date(Date.parse(whole.modified!) + hourMs).toUTCString();
    expect((await get(path, later)).status).toBe(304);
    const earlier = new Date(Date.parse(whole.modified!) - 1_000).toUTCString();
    expect((await get(path, earlier)).status).toBe(200);
    expect((await get(path, 'some day')).status).toBe(200);

    // Within the same second, so that only the order of changes can tell.
    await vault.call('POST', 'pki/config/issuers', { default: 'second' });
    const changed = await get(path, whole.modified);
    expect(changed.status).toBe(200);
    expect(changed.body).not.toBe(whole.body);
    expect((await get(path, changed.modified)).status).toBe(304);
  });
});

test('whatever changes of the issuers is told anew, and what does not change them changes nothing', async () => {
  await root('first');
  await root('second');
  const stamp = async () => (await get('pki/ca')).modified;
  let before = await stamp();
  const expectChange = async (changes: boolean) => {
    const now = await stamp();
    expect(now === before).toBe(!changes);
    before = now;
  };
  await vault.clock.advance(hourMs);
  await vault.call('POST', 'pki/roles/web', { allow_any_name: true, key_type: 'ec' });
  await vault.call('POST', 'pki/issue/web', { common_name: 'a', ttl: '1h' });
  await vault.call('POST', 'pki/config/issuers', { default: 'first' });
  await vault.call('POST', 'pki/keys/generate/internal', { key_type: 'ec' });
  await expectChange(false);
  await vault.call('POST', 'pki/issuer/second', { issuer_name: 'renamed' });
  await expectChange(true);
  expect(Date.parse(before!)).toBe(Math.floor(vault.clock.now() / 1_000) * 1_000);
  await vault.call('DELETE', 'pki/issuer/renamed');
  await expectChange(true);
  await root('third');
  await expectChange(true);
});

test('before there is a CA nothing is said of when it changed', async () => {
  const since = new Date(vault.clock.now()).toUTCString();
  expect(await get('pki/ca', since)).toMatchObject({ status: 204, modified: undefined });
  expect(await get('pki/cert/ca', since)).toMatchObject({ status: 400, modified: undefined });
  expect(await get('pki/crl', since)).toMatchObject({ status: 204, modified: undefined });
});
