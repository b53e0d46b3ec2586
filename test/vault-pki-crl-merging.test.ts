import { afterEach, beforeEach, expect, test } from 'vitest';
import { hourMs } from '../src/base/duration.ts';
import { serialText } from '../src/x509/certificate.ts';
import { readCrl } from '../src/x509/crl.ts';
import { decodePem } from '../src/x509/pem.ts';
import { type TestVault, testVault } from './support/vault.ts';

let vault: TestVault;
beforeEach(async () => {
  vault = await testVault();
  await vault.call('POST', 'sys/mounts/pki', { type: 'pki' });
  for (const name of ['a', 'b']) {
    await write('root/generate/internal', { common_name: name, key_type: 'ec', issuer_name: name });
  }
  await write('roles/r', { allow_any_name: true, key_type: 'ec' });
});
afterEach(() => vault.close());

const write = (path: string, body: object) => vault.call('POST', `pki/${path}`, body);
const list = (pem: unknown) => readCrl(decodePem(pem as string)[0]!.bytes);
const crlOf = async (issuer: string) =>
  (await vault.call('GET', `pki/issuer/${issuer}/crl`)).data.crl as string;

async function revoked(): Promise<string> {
  const { data } = await write('issue/r', { common_name: 'leaf', ttl: '24h' });
  await write('revoke', { serial_number: data.serial_number });
  return data.serial_number as string;
}

test('lists of one key become one: each serial once', async () => {
  const first = await revoked();
  const before = await crlOf('a');
  await vault.clock.advance(hourMs);
  const second = await revoked();
  await vault.call('GET', 'pki/crl/rotate');
  const crls = [before, await crlOf('a')];
  const merged = await write('issuer/a/resign-crls', { crls, crl_number: 7, next_update: '10h' });
  expect(merged.warnings).toEqual([]);
  const read = list(merged.data.crl);
  expect(read.revoked.map(({ serial }) => serialText(serial)).toSorted()).toEqual([first, second].toSorted());
  expect(read).toMatchObject({ number: 7n, thisUpdate: vault.clock.now() });
  expect(read.nextUpdate).toBe(vault.clock.now() + 10 * hourMs);
  const delta = await write('issuer/a/resign-crls', { crls, delta_crl_base_number: 3, format: 'der' });
  const der = Buffer.from(delta.data.crl as string, 'base64');
  expect(readCrl(der).extensions.map(({ oid }) => oid)).toContain('2.5.29.27');
});

test.each([
  [{ crls: ['b'] }, 'CRL index: 0 was not signed by requested issuer'],
  [{ crls: ['none'] }, 'failed decoding crl 0: invalid crl; should be one PEM block only'],
  [{ crls: ['a'], format: 'text' }, 'unknown format value of text'],
  [{ crls: ['a'], next_update: '0s' }, 'next_update parameter must be greater than 0'],
  [{ crls: ['a'], crl_number: -1 }, 'crl_number parameter must be 0 or greater'],
  [{ crls: ['a'], delta_crl_base_number: -2 }, 'delta_crl_base_number parameter must be -1 or greater'],
])('%j is refused', async (given, message) => {
  const known: Record<string, string> = { a: await crlOf('a'), b: await crlOf('b') };
  const crls = given.crls.map((name) => known[name] ?? name);
  const reply = await write('issuer/a/resign-crls', { ...given, crls });
  expect([reply.status, reply.errors]).toEqual([400, [message]]);
});

test('an issuer signs no list that it may not sign', async () => {
  const crls = [await crlOf('a')];
  await write('issuer/a', { issuer_name: 'a', usage: 'issuing-certificates' });
  const reply = await write('issuer/a/resign-crls', { crls });
  expect(reply.status).toBe(400);
  expect(reply.errors[0]).toContain('requested usage crl-signing for issuer');
  expect((await write('issuer/none/resign-crls', { crls })).errors).toEqual([
    'failed to resolve issuer issuer_ref: unable to find PKI issuer for reference: none',
  ]);
});
