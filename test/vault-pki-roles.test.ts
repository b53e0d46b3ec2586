import { afterEach, beforeEach, expect, test } from 'vitest';
import { callVault, rootToken, type TestVault, testVault } from './support/vault.ts';

let vault: TestVault;
beforeEach(async () => {
  vault = await testVault();
  await vault.call('POST', 'sys/mounts/pki', { type: 'pki' });
});
afterEach(() => vault.close());

const write = (name: string, body: object) => vault.call('POST', `pki/roles/${name}`, body);

async function patch(name: string, body: object) {
  const response = await fetch(`${vault.endpoint}/v1/pki/roles/${name}`, {
    method: 'PATCH',
    headers: { 'x-vault-token': rootToken, 'content-type': 'application/merge-patch+json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** What OpenBao 2 answers to a role of which only the domains are said. */
const plain = JSON.parse(
  '{"allow_any_name":false,"allow_bare_domains":false,"allow_glob_domains":false,"allow_globs_in_identity_templates":false,"allow_ip_sans":true,"allow_localhost":true,"allow_subdomains":false,"allow_token_displayname":false,"allow_wildcard_certificates":true,"allowed_domains":["a.example","b"],"allowed_domains_template":false,"allowed_ip_sans_cidr":[],"allowed_other_sans":[],"allowed_serial_numbers":[],"allowed_uri_sans":[],"allowed_uri_sans_template":false,"allowed_user_ids":[],"basic_constraints_valid_for_non_ca":false,"client_flag":true,"cn_validations":["email","hostname"],"code_signing_flag":false,"country":[],"email_protection_flag":false,"enforce_hostnames":true,"ext_key_usage":[],"ext_key_usage_oids":[],"generate_lease":false,"issuer_ref":"default","key_bits":2048,"key_type":"rsa","key_usage":["DigitalSignature","KeyAgreement","KeyEncipherment"],"locality":[],"max_ttl":0,"no_store":false,"not_after":"","not_after_bound":"permit","not_before":"","not_before_bound":"permit","not_before_duration":30,"organization":[],"ou":[],"policy_identifiers":[],"postal_code":[],"province":[],"require_cn":true,"server_flag":true,"signature_bits":256,"street_address":[],"ttl":0,"use_csr_common_name":true,"use_csr_sans":true,"use_pss":false}',
) as Record<string, unknown>;

test('a role of which little is said has the defaults of the real one, and stays when it is read', async () => {
  const written = await write('web', { allowed_domains: 'a.example, b' });
  expect(written.data).toEqual(plain);
  expect(written.warnings).toEqual([
    'Issuing Certificate was set to default, but no default issuing certificate (configurable at /config/issuers) is currently set',
  ]);
  expect((await vault.call('GET', 'pki/roles/web')).data).toEqual(plain);
});

test('with an issuer there is no warning; one that is missing is named', async () => {
  await vault.call('POST', 'pki/root/generate/internal', { common_name: 'root', key_type: 'ec' });
  expect((await write('web', {})).warnings).toEqual([]);
  expect((await write('web', { issuer_ref: 'nope' })).warnings).toEqual([
    'Issuing Certificate was set to nope but no issuing certificate currently has that name',
  ]);
});

test('writing replaces a role whole; patching changes what it gives', async () => {
  await write('web', { ttl: '1h', max_ttl: '2h', key_type: 'ec' });
  expect(await patch('web', { ttl: '30m' })).toMatchObject({
    status: 200,
    body: { data: { ttl: 1800, max_ttl: 7200, key_type: 'ec', key_bits: 256 } },
  });
  expect(await patch('web', { ttl: '3h' })).toMatchObject({ status: 400 });
  expect((await vault.call('GET', 'pki/roles/web')).data).toMatchObject({ ttl: 1800 });
  expect((await write('web', {})).data).toMatchObject({
    ttl: 0,
    max_ttl: 0,
    key_type: 'rsa',
    key_bits: 2048,
  });
  expect(await patch('none', {})).toMatchObject({
    status: 400,
    body: { errors: ['Unable to fetch role entry to patch'] },
  });
});

test('roles are listed in order and in pages, and deleted', async () => {
  expect((await vault.call('LIST', 'pki/roles')).status).toBe(404);
  for (const name of ['c', 'a', 'b']) await write(name, {});
  expect((await vault.call('LIST', 'pki/roles')).data).toEqual({ keys: ['a', 'b', 'c'] });
  const page = { method: 'LIST', path: 'pki/roles?after=a&limit=1', token: rootToken };
  expect((await callVault(vault.endpoint, page)).data).toEqual({ keys: ['b'] });
  expect((await vault.call('DELETE', 'pki/roles/a')).status).toBe(204);
  expect((await vault.call('DELETE', 'pki/roles/a')).status).toBe(204);
  expect((await vault.call('GET', 'pki/roles/a')).status).toBe(404);
});

test.each([
  [{ key_type: 'any' }, { key_bits: 0, signature_bits: 0 }],
  [{ key_type: 'ed25519' }, { key_bits: 0, signature_bits: 0 }],
  [{ cn_validations: 'DISABLED' }, { cn_validations: ['disabled'] }],
  [{ cn_validations: [] }, { cn_validations: ['email', 'hostname'] }],
  [
    { allowed_ip_sans_cidr: '10.1.2.3/12,192.0.2.9/32,2001:db8::ff/64,1.2.3.4/0' },
    { allowed_ip_sans_cidr: ['10.0.0.0/12', '192.0.2.9/32', '2001:db8::/64', '0.0.0.0/0'] },
  ],
  [{ issuer_ref: '' }, { issuer_ref: 'default' }],
])('%j settles to %j', async (given, expected) => {
  expect((await write('r', given)).data).toMatchObject(expected);
});

test.each([
  [{ ttl: '1h', max_ttl: '30m' }, '"ttl" value must be less than "max_ttl" value'],
  [{ key_type: 'ec', key_bits: 2048 }, 'unsupported bit length for EC key: 2048'],
  [{ key_bits: 1024 }, 'RSA keys < 2048 bits are unsafe and not supported: got 1024'],
  [{ key_type: 'dsa' }, 'unknown key type dsa'],
  [{ key_type: 'constructor' }, 'unknown key type constructor'],
  [{ signature_bits: 7 }, 'unsupported hash signature algorithm: 7'],
  [{ ext_key_usage_oids: 'zzz' }, '"zzz" could not be parsed as a valid oid for an extended key usage'],
  [{ policy_identifiers: 'x.y' }, 'policy identifier "x.y" is not a valid OID'],
  [
    { allowed_other_sans: 'zzz' },
    'error parsing allowed_other_sans: expected a semicolon in other SAN "zzz"',
  ],
  [
    { allowed_ip_sans_cidr: '10.0.0.0/33' },
    'error parsing allowed_ip_sans_cidr: invalid CIDR address: 10.0.0.0/33',
  ],
  [{ cn_validations: ['email', 'zzz'] }, 'cn_validations value incorrect: unknown type: `zzz`'],
  [{ allowed_domains_template: true }, 'allowed_domains_template is not supported'],
])('%j is refused, and nothing is kept', async (given, message) => {
  const reply = await write('r', given);
  expect([reply.status, reply.errors]).toEqual([400, [message]]);
  expect((await vault.call('GET', 'pki/roles/r')).status).toBe(404);
});
