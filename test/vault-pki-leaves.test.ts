import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readCertificates } from '../src/x509/certificate.ts';
import { basicConstraints, extendedKeyUsage, findExtension, keyUsage } from '../src/x509/extension.ts';
import { formatGeneralName } from '../src/x509/general-name.ts';
import { type KeySpec, readPrivateKey, samePublicKey } from '../src/x509/key.ts';
import { formatName } from '../src/x509/name.ts';
import { oids } from '../src/x509/oid.ts';
import { encodePem } from '../src/x509/pem.ts';
import { readPolicies } from '../src/x509/policy.ts';
import { signatureAlgorithm } from '../src/x509/signature.ts';
import { type Asked, leafRequest } from './support/leaf-request.ts';
import { any, ask, askToSign, certificateOf, domain, leafVault } from './support/leaf-vault.ts';
import type { TestVault, VaultReply } from './support/vault.ts';

// The words, statuses and contents were compared with what OpenBao 2.6 answers to the same requests.

let vault: TestVault;
const folder = mkdtempSync(join(tmpdir(), 'leaves-'));
beforeAll(async () => {
  vault = await leafVault();
});
afterAll(async () => {
  await vault.close();
  rmSync(folder, { recursive: true });
});

const issue = (role: object, body: object) => ask(vault, 'issue', role, body);
const sign = (role: object, asked: Asked, body: object = {}) => askToSign(vault, role, asked, body);
const namesOf = (reply: VaultReply) => certificateOf(reply).subjectAltNames.map(formatGeneralName);

test('a leaf is issued with its key, its chain and its times', async () => {
  const reply = await issue(domain, { common_name: 'a.example.com' });
  expect(reply.status).toBe(200);
  expect(Object.keys(reply.data).toSorted()).toEqual([
    'ca_chain',
    'certificate',
    'expiration',
    'issuing_ca',
    'not_before',
    'private_key',
    'private_key_type',
    'serial_number',
  ]);
  const certificate = certificateOf(reply);
  const key = readPrivateKey(reply.data.private_key as string);
  expect(samePublicKey(key.publicKey, certificate.publicKey)).toBe(true);
  expect(reply.data.private_key).toMatch(/^-----BEGIN EC PRIVATE KEY-----\n[^]*-----$/);
  expect(reply.data).toMatchObject({
    private_key_type: 'ec',
    ca_chain: [reply.data.issuing_ca],
    expiration: certificate.notAfter / 1_000,
    not_before: certificate.notBefore / 1_000,
  });
  expect(certificate.notAfter - certificate.notBefore).toBe(3_630_000);
  expect(formatName(certificate.subject)).toBe('CN=a.example.com');
  expect(certificate).toMatchObject({ isCa: false, extendedKeyUsage: [oids.serverAuth, oids.clientAuth] });
  const stored = await vault.call('GET', `pki/cert/${String(reply.data.serial_number)}`);
  expect(stored.data.certificate).toBe(reply.data.certificate);
});

test('what a role does not store cannot be read', async () => {
  const reply = await issue({ ...any, no_store: true }, { common_name: 'a' });
  expect(reply.status).toBe(200);
  const serial = String(reply.data.serial_number);
  expect((await vault.call('GET', `pki/cert/${serial}`)).status).toBe(404);
  expect((await vault.call('LIST', 'pki/certs')).data.keys).not.toContain(serial);
});

const kinds: KeySpec[] = [
  { type: 'ec', curve: 'P-224' },
  { type: 'ec', curve: 'P-256' },
  { type: 'ec', curve: 'P-384' },
  { type: 'ec', curve: 'P-521' },
  { type: 'rsa', bits: 2048 },
  { type: 'ed25519' },
];

test.each(kinds)('openssl verifies a leaf for a key of %j', async (spec) => {
  const reply = await sign({ ...domain, key_type: 'any' }, { spec });
  expect(reply.errors).toEqual([]);
  const file = (name: string, pem: unknown) => {
    writeFileSync(join(folder, name), String(pem));
    return join(folder, name);
  };
  const root = file('root.pem', reply.data.issuing_ca);
  const leaf = file('leaf.pem', reply.data.certificate);
  const at = String(vault.clock.now() / 1_000);
  const checks = ['-CAfile', root, '-attime', at, '-x509_strict', '-purpose', 'sslserver'];
  const named = ['-verify_hostname', 'a.example.com', leaf];
  expect(execFileSync('openssl', ['verify', ...checks, ...named]).toString()).toContain(': OK');
});

test.each([
  ['ec', 384, 'P-384'],
  ['ec', 0, 'P-256'],
  ['rsa', 0, 2048],
  ['ed25519', 0, 'ed25519'],
])('a key of kind %s and size %s is made', async (key_type, key_bits, expected) => {
  const reply = await issue({ ...any, key_type, key_bits }, { common_name: 'a' });
  const { spec } = certificateOf(reply).publicKey;
  expect(spec.type === 'ec' ? spec.curve : spec.type === 'rsa' ? spec.bits : spec.type).toBe(expected);
  expect(reply.data.private_key_type).toBe(key_type);
});

test('a role for any key leaves it to the request', async () => {
  const role = { ...any, key_type: 'any' };
  expect((await issue(role, { common_name: 'a' })).errors).toEqual([
    'role key type "any" not allowed for issuing certificates without providing key_type and/or key_bits request parameters',
  ]);
  const made = await issue(role, { common_name: 'a', key_type: 'ec', key_bits: 521 });
  expect(certificateOf(made).publicKey.spec).toEqual({ type: 'ec', curve: 'P-521' });
  const ignored = await issue(any, { common_name: 'a', key_type: 'rsa' });
  expect(ignored.warnings).toEqual(['parameters key_type and key_bits ignored as role had specific values']);
});

test.each([
  ['der', 'der', 'SEC1'],
  ['der', 'pkcs8', 'PKCS8'],
  ['pem', 'pkcs8', 'PRIVATE KEY'],
  ['pem', '', 'EC PRIVATE KEY'],
])('format %s with keys in %s', async (format, private_key_format, kind) => {
  const reply = await issue(any, { common_name: 'a', format, private_key_format });
  const key = reply.data.private_key as string;
  if (format === 'pem') expect(key).toContain(`-----BEGIN ${kind}-----`);
  else {
    const label = kind === 'PKCS8' ? 'PRIVATE KEY' : 'EC PRIVATE KEY';
    expect(readPrivateKey(encodePem(label, Buffer.from(key, 'base64'))).spec.type).toBe('ec');
    expect(Buffer.from(reply.data.certificate as string, 'base64')[0]).toBe(0x30);
    expect(reply.data.ca_chain).toEqual([reply.data.issuing_ca]);
  }
});

test('a bundle is key, certificate and chain, roots and all', async () => {
  const reply = await issue(any, {
    common_name: 'a',
    format: 'pem_bundle',
    private_key_format: 'pkcs8',
    remove_roots_from_chain: true,
  });
  const { certificate, issuing_ca, private_key } = reply.data;
  expect(String(certificate).match(/BEGIN [A-Z ]+/g)).toEqual([
    'BEGIN EC PRIVATE KEY',
    'BEGIN CERTIFICATE',
    'BEGIN CERTIFICATE',
  ]);
  expect(String(certificate).endsWith(`\n${String(issuing_ca)}`)).toBe(true);
  expect(private_key).toContain('BEGIN PRIVATE KEY');
  expect(reply.data).not.toHaveProperty('ca_chain');
});

test('names of many kinds are taken, each once', async () => {
  const role = {
    ...domain,
    allowed_uri_sans: 'spiffe://a/*',
    allowed_other_sans: '*',
    allowed_user_ids: 'u*',
    allowed_serial_numbers: 's*',
    organization: 'O1,O2',
    ou: 'U,U',
    country: 'DE',
  };
  const reply = await issue(role, {
    common_name: 'a.example.com',
    alt_names: 'b.example.com, a.example.com,not a host,me@a.example.com',
    ip_sans: '10.0.0.1,2001:db8::1',
    uri_sans: 'spiffe://a/b',
    other_sans: '1.3.6.1.4.1.311.20.2.3;UTF8:dev@x',
    user_ids: 'u1,u2',
    serial_number: 's1',
  });
  expect(namesOf(reply)).toEqual([
    'other:1.3.6.1.4.1.311.20.2.3',
    'dns:a.example.com',
    'dns:b.example.com',
    'email:me@a.example.com',
    'ip:10.0.0.1',
    'ip:2001:db8::1',
    'uri:spiffe://a/b',
  ]);
  const attributes = certificateOf(reply).subject.rdns.map((rdn) => rdn.map(({ value }) => value));
  expect(attributes).toEqual([['DE'], ['O1', 'O2'], ['U'], ['a.example.com'], ['s1'], ['u1'], ['u2']]);
});

test('of a request names and key are taken, and nothing that it asks for besides', async () => {
  const reply = await sign(domain, {
    subject: { commonName: 'a.example.com', organization: ['Evil'] },
    names: [{ type: 'dns', value: 'b.example.com' }],
    extensions: [
      keyUsage(['cert sign', 'crl sign']),
      extendedKeyUsage([oids.codeSigning]),
      basicConstraints({ ca: true }),
    ],
  });
  const certificate = certificateOf(reply);
  expect(formatName(certificate.subject)).toBe('CN=a.example.com');
  expect(namesOf(reply)).toEqual(['dns:b.example.com', 'dns:a.example.com']);
  expect(certificate).toMatchObject({
    isCa: false,
    keyUsage: ['digital signature', 'key agreement'],
    extendedKeyUsage: [oids.serverAuth, oids.clientAuth],
  });
  expect(reply.warnings).toEqual([
    'specified CSR contained a Basic Constraints extension that was ignored during issuance',
  ]);
  expect(reply.data).not.toHaveProperty('private_key');
});

test('parameters beside a request count where the role says so, else earn a warning', async () => {
  const body = { common_name: 'c.example.com', alt_names: 'd.example.com' };
  const beside = await sign(
    { ...domain, use_csr_common_name: false, use_csr_sans: false },
    { subject: { commonName: 'evil.com' }, names: [{ type: 'dns', value: 'evil.com' }] },
    body,
  );
  expect(namesOf(beside)).toEqual(['dns:c.example.com', 'dns:d.example.com']);
  expect(beside.warnings).toEqual([]);
  const within = await sign(domain, {}, body);
  expect(namesOf(within)).toEqual(['dns:a.example.com']);
  expect(within.warnings).toEqual([
    'the common_name field was provided but the role is set with "use_csr_common_name" set to true',
    'the alt_names field was provided but the role is set with "use_csr_sans" set to true',
  ]);
});

test('usages, purposes, policies and constraints are the role’s', async () => {
  const role = {
    ...any,
    key_usage: 'DigitalSignature,ContentCommitment,Bogus',
    ext_key_usage: 'TimeStamping,bogus',
    ext_key_usage_oids: '1.2.3.4',
    client_flag: false,
    policy_identifiers: '1.2.3.5,1.2.3.6',
    basic_constraints_valid_for_non_ca: true,
  };
  const certificate = certificateOf(await issue(role, { common_name: 'a' }));
  expect(certificate).toMatchObject({
    keyUsage: ['digital signature', 'content commitment'],
    extendedKeyUsage: [oids.serverAuth, oids.timeStamping, '1.2.3.4'],
  });
  expect(findExtension(certificate.extensions, oids.basicConstraints)).toMatchObject({ critical: true });
  const policies = findExtension(certificate.extensions, oids.certificatePolicies)!;
  expect(policies.value.toString('hex')).toBe('300e300506032a0305300506032a0306');
  const said = [{ oid: '1.2.3.5', cps: 'https://example.com/cps', notice: 'Test, only' }, { oid: '1.2.3.6' }];
  for (const given of [said, JSON.stringify(said)]) {
    const qualified = certificateOf(await issue({ ...any, policy_identifiers: given }, { common_name: 'a' }));
    expect(readPolicies(findExtension(qualified.extensions, oids.certificatePolicies)!.value)).toEqual([
      {
        oid: '1.2.3.5',
        statements: ['https://example.com/cps'],
        notices: [{ text: 'Test, only' }],
        others: [],
      },
      { oid: '1.2.3.6', statements: [], notices: [], others: [] },
    ]);
  }
  const none = { ...any, key_usage: [], server_flag: false, client_flag: false };
  const bare = certificateOf(await issue(none, { common_name: 'a' }));
  expect([bare.keyUsage, bare.extendedKeyUsage]).toEqual([undefined, undefined]);
});

test('a key is said to be for what keys of its kind can be for', async () => {
  const usages = async (key_type: string) =>
    certificateOf(await issue({ ...any, key_type }, { common_name: 'a' })).keyUsage;
  expect(await usages('rsa')).toEqual(['digital signature', 'key encipherment']);
  expect(await usages('ec')).toEqual(['digital signature', 'key agreement']);
  expect(await usages('ed25519')).toEqual(['digital signature']);
});

test('an RSA issuer signs with the hash and the padding that the role asks for', async () => {
  await vault.call('POST', 'sys/mounts/rsa', { type: 'pki' });
  await vault.call('POST', 'rsa/root/generate/internal', { common_name: 'rsa', ttl: '100h' });
  const signedWith = async (role: object) => {
    await vault.call('POST', 'rsa/roles/r', { ...any, key_type: 'rsa', ...role });
    const reply = await vault.call('POST', 'rsa/sign/r', {
      ttl: '1h',
      csr: await leafRequest({ spec: { type: 'rsa', bits: 2048 } }),
    });
    const certificate = certificateOf(reply);
    writeFileSync(join(folder, 'rsa-root.pem'), String(reply.data.issuing_ca));
    writeFileSync(join(folder, 'rsa-leaf.pem'), String(reply.data.certificate));
    const at = ['-attime', String(vault.clock.now() / 1_000)];
    const files = ['-CAfile', join(folder, 'rsa-root.pem'), join(folder, 'rsa-leaf.pem')];
    expect(execFileSync('openssl', ['verify', ...at, ...files]).toString()).toContain(': OK');
    return signatureAlgorithm(certificate.signatureAlgorithm)?.name;
  };
  expect(await signedWith({})).toBe('SHA256-RSA');
  expect(await signedWith({ signature_bits: 384 })).toBe('SHA384-RSA');
  expect(await signedWith({ use_pss: true })).toBe('SHA256-RSAPSS');
  expect(await signedWith({ use_pss: true, signature_bits: 512 })).toBe('SHA512-RSAPSS');
});

test.each([
  [{}, {}, { ttl: 0 }, 768 * 3_600],
  [{ ttl: '2h' }, {}, { ttl: 0 }, 7_200],
  [{ ttl: '2h', max_ttl: '3h' }, {}, { ttl: '30m' }, 1_800],
  [{ max_ttl: '3h' }, {}, { ttl: '4h' }, 10_800],
  [{ not_before_duration: '1h' }, {}, { ttl: '1h' }, 3_600],
])('by a role with %j', async (times, _, body, seconds) => {
  const reply = await issue({ ...any, ...times }, { common_name: 'a', ...body });
  const { notAfter, notBefore } = certificateOf(reply);
  expect((notAfter - vault.clock.now()) / 1_000).toBe(seconds);
  const backdate = 'not_before_duration' in times ? 3_600_000 : 30_000;
  expect(vault.clock.now() - notBefore).toBe(backdate);
  const clamped = 'max_ttl' in times && body.ttl === '4h';
  expect(reply.warnings).toEqual(
    clamped ? ['TTL "4h0m0s" is longer than permitted maxTTL "3h0m0s", so maxTTL is being used'] : [],
  );
});

test('beyond the issuer’s end it is as the issuer says', async () => {
  const beyond = async (behavior: string) => {
    const patched = await vault.call('POST', 'pki/issuer/main', {
      issuer_name: 'main',
      leaf_not_after_behavior: behavior,
    });
    expect(patched.errors).toEqual([]);
    return issue({ ...any, max_ttl: '2000h' }, { common_name: 'a', ttl: '1500h' });
  };
  const subCa = async () =>
    vault.call('POST', 'pki/root/sign-intermediate', {
      csr: await leafRequest(),
      common_name: 'sub',
      ttl: '1500h',
    });
  const refusal =
    /^cannot satisfy request, as TTL would result in notAfter of .* that is beyond the expiration of the CA certificate at /;
  const end = readCertificates((await vault.call('GET', 'pki/cert/ca')).data.certificate as string)[0]!
    .notAfter;
  expect((await beyond('permit')).data.expiration).toBe(vault.clock.now() / 1_000 + 1_500 * 3_600);
  expect((await beyond('truncate')).data.expiration).toBe(end / 1_000);
  const always = await beyond('always_enforce_err');
  expect([always.status, always.errors[0]]).toEqual([400, expect.stringMatching(refusal)]);
  expect((await subCa()).errors[0]).toMatch(refusal);
  expect((await beyond('err')).errors[0]).toMatch(refusal);
  expect((await subCa()).data.expiration).toBe(end / 1_000);
});

test('times that are asked for hold within the role’s bounds', async () => {
  const now = vault.clock.now();
  const time = (fromNowMs: number) => new Date(now + fromNowMs).toISOString().replace('.000Z', 'Z');
  const hour = 3_600_000;
  const asked = { common_name: 'a', ttl: 0, not_before: time(-hour), not_after: time(10 * hour) };
  const certificate = certificateOf(await issue(any, asked));
  expect([certificate.notBefore - now, certificate.notAfter - now]).toEqual([-hour, 10 * hour]);
  const refusal = async (role: object) => (await issue({ ...any, ...role }, asked)).errors[0];
  expect(await refusal({ not_before_bound: 'duration' })).toMatch(
    /older than the allowed not_before_duration of 30s$/,
  );
  expect(await refusal({ not_after_bound: 'ttl-limited', ttl: '9h' })).toMatch(/beyond the TTL of 9h0m0s$/);
  expect(await refusal({ not_after_bound: time(9 * hour) })).toMatch(/beyond the maximum timestamp of /);
  expect(await refusal({ not_before_bound: 'duration', not_before_duration: '2h' })).toBeUndefined();
  const fixed = { not_before: time(-2 * hour), not_after: time(3 * hour) };
  const own = certificateOf(await issue({ ...any, ...fixed }, { common_name: 'a', ttl: 0 }));
  expect([own.notBefore - now, own.notAfter - now]).toEqual([-2 * hour, 3 * hour]);
});

test('signing verbatim takes subject, names and extensions as they stand', async () => {
  const csr = await leafRequest({
    subject: { commonName: 'anything goes!', organization: ['O'], userIds: ['u'] },
    names: [
      { type: 'dns', value: 'a_b' },
      { type: 'ip', value: '10.0.0.1' },
      { type: 'uri', value: 'spiffe://x' },
    ],
    extensions: [
      basicConstraints({ ca: true }),
      extendedKeyUsage([oids.codeSigning]),
      { oid: '1.2.3.4.5', critical: false, value: Buffer.from('0500', 'hex') },
    ],
  });
  const reply = await vault.call('POST', 'pki/sign-verbatim', {
    csr,
    ttl: '1h',
    key_usage: 'DigitalSignature',
  });
  const certificate = certificateOf(reply);
  expect(formatName(certificate.subject)).toBe('O=O,CN=anything goes!,UID=u');
  expect(namesOf(reply)).toEqual(['dns:a_b', 'ip:10.0.0.1', 'uri:spiffe://x']);
  expect(certificate).toMatchObject({
    isCa: false,
    keyUsage: ['digital signature'],
    extendedKeyUsage: [oids.codeSigning],
  });
  expect(findExtension(certificate.extensions, '1.2.3.4.5')).toBeDefined();
  expect(reply.warnings).toEqual([
    'specified CSR contained a Basic Constraints extension that was ignored during issuance',
  ]);
});

test('signing verbatim takes times and storing from a role, and its purposes from the request alone', async () => {
  const csr = await leafRequest({});
  await vault.call('POST', 'pki/roles/times', {
    ttl: '20m',
    max_ttl: '30m',
    no_store: true,
    issuer_ref: 'main',
  });
  const reply = await vault.call('POST', 'pki/sign-verbatim/times', { csr });
  const certificate = certificateOf(reply);
  expect(certificate.notAfter - vault.clock.now()).toBe(20 * 60_000);
  expect(certificate.extendedKeyUsage).toBeUndefined();
  expect((await vault.call('GET', `pki/cert/${String(reply.data.serial_number)}`)).status).toBe(404);
  const bad = await vault.call('POST', 'pki/sign-verbatim', { csr, signature_bits: 7 });
  expect([bad.status, bad.errors]).toEqual([400, ['unsupported hash signature algorithm: 7']]);
});

test('the issuer is the path’s, else the role’s', async () => {
  const csr = await leafRequest({});
  await vault.call('POST', 'pki/roles/astray', { ...any, issuer_ref: 'nope' });
  const missing = [
    500,
    [
      '1 error occurred:\n\t* could not fetch the CA certificate (was one set?): unable to find PKI issuer for reference: nope\n\n',
    ],
  ];
  const status = async (path: string, body = {}) => {
    const { status: code, errors } = await vault.call('POST', path, {
      csr,
      ttl: '1h',
      common_name: 'a',
      ...body,
    });
    return [code, errors];
  };
  for (const verb of ['sign', 'issue', 'sign-verbatim']) {
    expect(await status(`pki/${verb}/astray`)).toEqual(missing);
    expect(await status(`pki/issuer/main/${verb}/astray`)).toEqual([200, []]);
    expect(await status(`pki/${verb}/none`)).toEqual([400, ['unknown role: none']]);
  }
  expect(await status('pki/sign-verbatim', { issuer_ref: 'nope' })).toEqual(missing);
  expect(await status('pki/issuer/main/sign-verbatim')).toEqual([200, []]);
});

test('a leaf needs a policy that lets its role be used', async () => {
  await vault.call('POST', 'pki/roles/web', domain);
  await vault.call('PUT', 'sys/policies/acl/web', {
    policy: 'path "pki/sign/web" { capabilities = ["update"] }',
  });
  const { auth } = await vault.call('POST', 'auth/token/create', { policies: ['web'] });
  const token = auth.client_token as string;
  const csr = await leafRequest({});
  expect((await vault.call('POST', 'pki/sign/web', { csr, ttl: '1h' }, token)).status).toBe(200);
  expect((await vault.call('POST', 'pki/sign-verbatim', { csr, ttl: '1h' }, token)).status).toBe(403);
  expect((await vault.call('POST', 'pki/issue/web', { ttl: '1h' }, token)).status).toBe(403);
});
