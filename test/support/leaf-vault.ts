import { expect } from 'vitest';
import { type Certificate, readCertificates } from '../../src/x509/certificate.ts';
import { type Asked, leafRequest } from './leaf-request.ts';
import { type TestVault, testVault, type VaultReply } from './vault.ts';

/** A server with a P-256 root of 1,000 hours at `pki/`, called `main`. */
export async function leafVault(): Promise<TestVault> {
  const vault = await testVault();
  await vault.call('POST', 'sys/mounts/pki', { type: 'pki' });
  await vault.call('POST', 'sys/mounts/pki/tune', { max_lease_ttl: '2160h' });
  await vault.call('POST', 'pki/root/generate/internal', {
    common_name: 'root',
    key_type: 'ec',
    ttl: '1000h',
    issuer_name: 'main',
  });
  return vault;
}

/** Roles of P-256 keys: for hosts below example.com, and for any name. */
export const domain = { key_type: 'ec', allowed_domains: 'example.com', allow_subdomains: true };
export const any = { key_type: 'ec', allow_any_name: true };

let roles = 0;

/** Asks for a leaf of an hour by a role of its own. */
export async function ask(vault: TestVault, verb: string, role: object, body: object): Promise<VaultReply> {
  const name = `role-${++roles}`;
  const written = await vault.call('POST', `pki/roles/${name}`, role);
  expect(written.errors).toEqual([]);
  return vault.call('POST', `pki/${verb}/${name}`, { ttl: '1h', ...body });
}

export async function askToSign(
  vault: TestVault,
  role: object,
  asked: Asked,
  body: object = {},
): Promise<VaultReply> {
  return ask(vault, 'sign', role, { csr: await leafRequest(asked), ...body });
}

export function certificateOf({ data }: VaultReply): Certificate {
  return readCertificates(data.certificate as string).at(0)!;
}
