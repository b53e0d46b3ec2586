import { expect, test } from 'vitest';
import { authorityFixture } from '../../test/support/authority-fixture.ts';
import { seededEntropy } from '../base/entropy.ts';
import { Fault } from '../base/fault.ts';
import { isSignedBy } from '../x509/certificate.ts';
import { readCrl } from '../x509/crl.ts';
import { generateKey, type KeySpec, writePrivateKey } from '../x509/key.ts';
import { buildOcspRequest } from '../x509/ocsp-request.ts';
import { decodePem } from '../x509/pem.ts';
import { type RemoteKey, signerOf, verifySignature } from '../x509/signature.ts';
import type { RemoteKeys } from './issuer.ts';

/** A key in another part of this process, in an HSM's place. */
function elsewhere(spec: KeySpec = { type: 'ec', curve: 'P-256' }) {
  const key = generateKey(spec, seededEntropy('elsewhere'));
  const hsm = { key, isAway: false, signatures: 0 };
  const remoteKeys: RemoteKeys = (reference, publicKey) => ({
    ...{ reference, publicKey, spec },
    async sign(bytes, { hash, padding }) {
      if (hsm.isAway) throw new Fault('away', { code: 'vault.managed-key.away', blame: 'operator' });
      hsm.signatures += 1;
      return signerOf(key, hash, padding).sign(bytes);
    },
  });
  return Object.assign(hsm, { remoteKeys, remote: remoteKeys('hsm-1', key.publicKey) });
}

async function authorityWith(remote: ReturnType<typeof elsewhere>) {
  const fixture = await authorityFixture('remote', undefined, remote.remoteKeys);
  const { issuer } = await fixture.root('remote', { key: { remote: remote.remote }, keyName: 'hsm' });
  await fixture.authority.setDefaults({ issuer: issuer.id });
  return { ...fixture, issuer };
}

test('a CA signs with a key that lives elsewhere, also after a restart', async () => {
  const remote = elsewhere();
  const fixture = await authorityWith(remote);
  const { authority, issuer } = fixture;
  const certificate = await fixture.sign('leaf');
  expect(isSignedBy(certificate, issuer.certificate)).toBe(true);
  const again = await fixture.open();
  expect(again.key('hsm').privateKey).toMatchObject({ reference: 'hsm-1', spec: remote.key.spec });
  const crl = readCrl((await again.crls.complete(issuer.id))!.der);
  const { signatureAlgorithm: algorithm, tbs: bytes, signature } = crl;
  expect(verifySignature({ algorithm, bytes, signature, publicKey: remote.key.publicKey })).toBe(true);
  const answer = await authority.ocsp.answer(buildOcspRequest(certificate, issuer.certificate));
  expect(answer.status).toBe('successful');
  expect(remote.signatures).toBeGreaterThanOrEqual(4);
});

test('the store holds nothing of the key', async () => {
  const remote = elsewhere();
  const { store, authority } = await authorityWith(remote);
  const { bytes } = decodePem(writePrivateKey(remote.key, 'traditional'))[0]!;
  // SEC 1: version, then the number of the key.
  const scalar = bytes.subarray(7, 39);
  const all = await store.list({ prefix: '' });
  const kept = all.find(({ value }) => value.includes('hsm-1'))!;
  expect(Object.keys(JSON.parse(kept.value.toString()) as object)).toEqual(['id', 'name', 'remote']);
  for (const { value } of all) {
    const text = value.toString('latin1');
    for (const form of ['latin1', 'hex', 'base64'] as const) {
      expect(text).not.toContain(scalar.toString(form).replace(/.=*$/, ''));
    }
  }
  expect(JSON.stringify(authority.key('hsm'))).not.toContain(scalar.toString('base64'));
});

test('while it is away nothing is issued or lost; what was revoked is listed once it is back', async () => {
  const remote = elsewhere();
  const fixture = await authorityWith(remote);
  const { store, authority, issuer } = fixture;
  const certificate = await fixture.sign('leaf');
  remote.isAway = true;
  const before = await store.revision();
  await expect(fixture.sign('another')).rejects.toMatchObject({ code: 'vault.managed-key.away' });
  expect(await store.revision()).toBe(before);
  await authority.revocations.revoke(certificate);
  await expect(authority.crls.complete(issuer.id)).rejects.toMatchObject({ code: 'vault.managed-key.away' });
  remote.isAway = false;
  const crl = readCrl((await authority.crls.complete(issuer.id))!.der);
  expect(crl.revoked.map(({ serial }) => serial)).toEqual([certificate.serial]);
});

test('an authority that reaches no such keys says so when one is to sign', async () => {
  const remote = elsewhere();
  const fixture = await authorityFixture('unreached');
  await fixture.root('remote', { key: { remote: remote.remote }, keyName: 'hsm' });
  const again = await fixture.open();
  const signer = signerOf(again.key('hsm').privateKey);
  expect(() => signer.sign(Buffer.from('x'))).toThrow('nothing here reaches it');
});

test('the same key taken up twice is one', async () => {
  const remote = elsewhere();
  const { authority } = await authorityWith(remote);
  const known = authority.keys().length;
  expect(await authority.addNewKey({ remote: remote.remote }, 'other')).toMatchObject({ name: 'hsm' });
  expect(authority.keys()).toHaveLength(known);
});

test.each<[KeySpec, RemoteKey['padding']]>([
  [{ type: 'ec', curve: 'P-256' }, undefined],
  [{ type: 'ec', curve: 'P-384' }, undefined],
  [{ type: 'ec', curve: 'P-521' }, undefined],
  [{ type: 'rsa', bits: 2_048 }, undefined],
  [{ type: 'rsa', bits: 2_048 }, 'PSS'],
])('what it signed with is what is said of it: %j, %s', async (spec, only) => {
  const { remote, key } = elsewhere(spec);
  for (const hash of ['SHA-256', 'SHA-384', 'SHA-512'] as const) {
    for (const padding of ['PKCS#1 v1.5', 'PSS'] as const) {
      const signer = signerOf({ ...remote, padding: only }, hash, padding);
      const bytes = Buffer.from('signed');
      const signature = await signer.sign(bytes);
      const { algorithm } = signer;
      expect(verifySignature({ algorithm, bytes, signature, publicKey: key.publicKey })).toBe(true);
      expect(algorithm).toEqual(signerOf(key, hash, only ?? padding).algorithm);
    }
  }
});
