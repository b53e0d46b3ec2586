import { afterEach, beforeEach, expect, test } from 'vitest';
import { readCrl } from '../src/x509/crl.ts';
import { decodePem } from '../src/x509/pem.ts';
import { type TestVault, testVault } from './support/vault.ts';

/** Several roots below one mount: which one is the default, which keys there are, whose CRLs are made anew. */

let vault: TestVault;
beforeEach(async () => {
  vault = await testVault();
  await vault.call('POST', 'sys/mounts/pki', { type: 'pki' });
});
afterEach(() => vault.close());

async function root(body: object) {
  const reply = await vault.call('POST', 'pki/root/generate/internal', { key_type: 'ec', ...body });
  expect([reply.status, reply.errors]).toEqual([200, []]);
  return reply.data as { issuer_id: string; key_id: string };
}

const read = async (path: string) => (await vault.call('GET', `pki/${path}`)).data;

test('before there is an issuer the defaults are empty', async () => {
  expect(await read('config/issuers')).toEqual({ default: '', default_follows_latest_issuer: false });
  expect(await read('config/keys')).toEqual({ default: '' });
  expect(await read('crl/rotate')).toEqual({ success: true });
});

test('another issuer, and another key, become the default by name, and answer with their ids', async () => {
  const first = await root({ common_name: 'first', key_name: 'k1' });
  const second = await root({ common_name: 'second', issuer_name: 'second', key_name: 'k2' });
  expect(await read('config/issuers')).toMatchObject({ default: first.issuer_id });
  const written = await vault.call('POST', 'pki/config/issuers', { default: 'second' });
  expect(written.data).toEqual({ default: second.issuer_id, default_follows_latest_issuer: false });
  expect(await read('issuer/default')).toMatchObject({ issuer_id: second.issuer_id });
  expect((await vault.call('POST', 'pki/root/replace', { default: first.issuer_id })).data).toMatchObject({
    default: first.issuer_id,
  });
  expect(await read('config/keys')).toEqual({ default: first.key_id });
  expect((await vault.call('POST', 'pki/config/keys', { default: 'k2' })).data).toEqual({
    default: second.key_id,
  });
});

test('the default follows the latest issuer where that is set', async () => {
  const first = await root({ common_name: 'first' });
  await vault.call('POST', 'pki/config/issuers', {
    default: first.issuer_id,
    default_follows_latest_issuer: 'true',
  });
  const second = await root({ common_name: 'second' });
  expect(await read('config/issuers')).toEqual({
    default: second.issuer_id,
    default_follows_latest_issuer: true,
  });
});

test('keys are listed and described, and never shown', async () => {
  const { key_id: one, issuer_id: issuer } = await root({ common_name: 'one', key_name: 'k1' });
  const { key_id: two } = await root({ common_name: 'two' });
  const { data } = await vault.call('LIST', 'pki/keys');
  expect(data.key_info).toEqual({
    [one]: { is_default: true, key_name: 'k1' },
    [two]: { is_default: false, key_name: '' },
  });
  expect(data.keys).toEqual([one, two].toSorted());
  const [before] = [one, two].toSorted();
  expect((await vault.call('GET', `pki/keys?list=true&after=${before}`)).data.keys).toHaveLength(1);
  const { data: key, text } = await vault.call('GET', 'pki/key/k1');
  expect(key).toMatchObject({ key_id: one, key_name: 'k1', key_type: 'ec' });
  expect(key.subject_key_id).toMatch(/^([0-9a-f]{2}:){19}[0-9a-f]{2}$/);
  expect(await read('key/default')).toEqual(key);
  expect(text).not.toContain('PRIVATE');
  expect(await read(`issuer/${issuer}`)).toMatchObject({
    key_id: one,
    revocation_signature_algorithm: 'ECDSAWithSHA256',
  });
});

test('rotating makes the next CRL at once', async () => {
  await root({ common_name: 'one' });
  const number = async () => {
    const { certificate } = await read('cert/crl');
    return readCrl(decodePem(certificate as string)[0]!.bytes).number;
  };
  const before = (await number())!;
  expect(await read('crl/rotate')).toEqual({ success: true });
  expect(await number()).toBe(before + 1n);
  expect((await vault.call('POST', 'pki/crl/rotate', {})).status).toBe(405);
});
