import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../src/base/manual-clock.ts';
import { type TestVault, testVault, type VaultReply } from './support/vault.ts';

/** A root in one mount, an intermediate in another, as Vault's own tutorial has it; OpenSSL is the judge. */
const folder = mkdtempSync(join(tmpdir(), 'capstan-intermediates-'));
afterAll(() => rmSync(folder, { recursive: true }));

let vault: TestVault;
let root: VaultReply;
beforeEach(async () => {
  vault = await testVault({ clock: new ManualClock(Date.now()) });
  await vault.call('POST', 'sys/mounts/root', { type: 'pki' });
  await vault.call('POST', 'sys/mounts/int', { type: 'pki' });
  const urls = { issuing_certificates: 'http://ca.example/ca' };
  for (const mount of ['root', 'int']) await write(`${mount}/config/urls`, urls);
  root = await write('root/root/generate/internal', {
    common_name: 'Root',
    key_type: 'ec',
    ttl: '700h',
    issuer_name: 'first',
  });
});
afterEach(() => vault.close());

const write = (path: string, body: object = {}) => vault.call('POST', path, body);
const read = (path: string) => vault.call('GET', path);

function file(name: string, pem: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, `${pem as string}\n`);
  return path;
}

function openssl(...args: readonly string[]): string {
  return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

const requestText = (pem: unknown) =>
  openssl('req', '-in', file('csr', pem), '-noout', '-text', '-verify', '-reqopt', 'no_pubkey');

async function intermediate() {
  const asked = await write('int/intermediate/generate/internal', { common_name: 'Inter', key_type: 'ec' });
  const signed = await write('root/root/sign-intermediate', {
    csr: asked.data.csr,
    common_name: 'Inter',
    ttl: '600h',
  });
  const set = await write('int/intermediate/set-signed', {
    certificate: (signed.data.ca_chain as string[]).join('\n'),
  });
  return { asked, signed, set };
}

test('a request is signed in another mount, comes back, and is an issuer that signs', async () => {
  const { asked, signed, set } = await intermediate();
  expect(Object.keys(asked.data)).toEqual(['csr', 'key_id']);
  expect(asked.warnings).toEqual([]);
  const [issuer, above] = set.data.imported_issuers as [string, string];
  expect(set.data).toMatchObject({
    imported_keys: null,
    mapping: { [issuer]: asked.data.key_id, [above]: '' },
  });
  expect((await read('int/config/issuers')).data.default).toBe(issuer);
  expect((await read('int/issuer/default')).data).toMatchObject({
    ca_chain: [`${signed.data.certificate as string}\n`, `${root.data.certificate as string}\n`],
    key_id: asked.data.key_id,
    revocation_signature_algorithm: '',
  });
  await write('int/roles/r', { allow_any_name: true, key_type: 'ec' });
  const leaf = await write('int/issue/r', { common_name: 'leaf.example', ttl: '1h' });
  const untrusted = file('chain', (leaf.data.ca_chain as string[]).join('\n'));
  const anchor = file('root', root.data.certificate);
  expect(
    openssl(
      'verify',
      '-x509_strict',
      '-CAfile',
      anchor,
      '-untrusted',
      untrusted,
      file('leaf', leaf.data.certificate),
    ),
  ).toContain(': OK');
});

test('a request says what it is asked to say, with any key', async () => {
  const asked = {
    common_name: 'Inter X',
    organization: 'o',
    alt_names: 'a.example,b@c.example',
    ip_sans: '192.0.2.1',
    uri_sans: 'spiffe://a/b',
    other_sans: '1.3.6.1.4.1.311.20.2.3;utf8:x@y',
    add_basic_constraints: true,
  };
  for (const [key, algorithm] of [
    [{ key_type: 'ec', key_bits: 384 }, 'ecdsa-with-SHA384'],
    [{ key_type: 'rsa' }, 'sha256WithRSAEncryption'],
    [{ key_type: 'rsa', use_pss: true, signature_bits: 512 }, 'rsassaPss'],
    [{ key_type: 'ed25519' }, 'ED25519'],
  ] as const) {
    const { data } = await write('int/issuers/generate/intermediate/exported', { ...asked, ...key });
    expect(data.private_key_type).toBe(key.key_type);
    const text = requestText(data.csr);
    expect(text).toContain('Subject: O = o, CN = Inter X');
    expect(text).toContain(
      'othername: UPN::x@y, DNS:a.example, email:b@c.example, IP Address:192.0.2.1, URI:spiffe://a/b',
    );
    expect(text).toMatch(/Basic Constraints: critical\s+CA:TRUE/);
    expect(text).toContain(`Signature Algorithm: ${algorithm}`);
    const publicKey = openssl('pkey', '-in', file('key', data.private_key), '-pubout');
    expect(openssl('req', '-in', file('csr', data.csr), '-noout', '-pubkey')).toBe(publicKey);
  }
});

test('a key that is here asks again: cross-signing gives one issuer two chains', async () => {
  const { asked, set } = await intermediate();
  const other = await write('root/root/generate/internal', {
    common_name: 'Other',
    key_type: 'rsa',
    issuer_name: 'other',
    ttl: '700h',
  });
  const again = await write('int/intermediate/cross-sign', {
    common_name: 'Inter',
    key_ref: asked.data.key_id,
  });
  expect(again.data.key_id).toBe(asked.data.key_id);
  const signed = await write('root/issuer/other/sign-intermediate', {
    csr: again.data.csr,
    common_name: 'Inter',
    ttl: '600h',
  });
  const taken = await write('int/intermediate/set-signed', { certificate: signed.data.certificate });
  const issuer = (taken.data.imported_issuers as string[])[0]!;
  expect(taken.data.mapping).toEqual({ [issuer]: asked.data.key_id });
  await write('int/issuers/import/cert', { pem_bundle: other.data.certificate });
  expect((await read(`int/issuer/${issuer}`)).data.ca_chain).toEqual([
    `${signed.data.certificate as string}\n`,
    `${other.data.certificate as string}\n`,
  ]);
  expect((await read('int/config/issuers')).data.default).toBe((set.data.imported_issuers as string[])[0]);
  expect(
    (await write('int/intermediate/cross-sign', { common_name: 'x', key_type: 'ec' })).errors[0],
  ).toContain('key_type nor key_bits arguments can be set in this mode');
});

test('a root is rotated to one called next, which takes the place of the first', async () => {
  const next = await write('root/root/rotate/internal', { common_name: 'Root', key_type: 'ec' });
  expect(next.data.issuer_name).toBe('next');
  expect((await read('root/config/issuers')).data.default).toBe(root.data.issuer_id);
  expect((await write('root/root/rotate/existing', { common_name: 'Root' })).data).toMatchObject({
    issuer_name: '',
    key_id: root.data.key_id,
  });
  expect((await write('root/root/replace')).data.default).toBe(next.data.issuer_id);
});

test('another’s self-signed CA is signed with nothing of its own changed, by who has sudo', async () => {
  const key = file('their-key', openssl('genrsa', '2048'));
  const theirs = openssl(
    ...['req', '-x509', '-new', '-key', key, '-subj', '/CN=Theirs', '-days', '20'],
    ...[
      '-addext',
      'nameConstraints=permitted;DNS:theirs.example',
      '-addext',
      'keyUsage=critical,keyCertSign',
    ],
  );
  const extensions = ['keyUsage', 'nameConstraints', 'basicConstraints', 'subjectKeyIdentifier'];
  for (const path of ['root/root/sign-self-issued', 'root/issuer/first/sign-self-issued']) {
    const { data } = await write(path, { certificate: theirs });
    expect(data.issuing_ca).toBe(root.data.certificate);
    const anchor = file('root', root.data.certificate);
    expect(openssl('verify', '-CAfile', anchor, file('signed', data.certificate))).toContain(': OK');
    const facts = (name: string) =>
      ['-serial', '-subject', '-dates', '-pubkey', ...extensions.map((one) => `-ext=${one}`)].map((flag) =>
        openssl('x509', '-in', name, '-noout', ...flag.split('=')),
      );
    expect(facts(file('signed', data.certificate))).toEqual(facts(file('theirs', theirs)));
    expect(
      openssl('x509', '-in', file('signed', data.certificate), '-noout', '-ext', 'authorityInfoAccess'),
    ).toContain('http://ca.example/ca');
  }
  await write('sys/policies/acl/p', { policy: 'path "root/*" { capabilities = ["update"] }' });
  const { auth } = await write('auth/token/create', { policies: ['p'] });
  const path = 'root/root/sign-self-issued';
  const asked = [{ certificate: theirs }, auth.client_token as string] as const;
  expect((await vault.call('POST', path, ...asked)).status).toBe(403);
  const strict = { certificate: theirs, require_matching_certificate_algorithms: true };
  expect((await write(path, strict)).errors[0]).toContain('does not match submitted certificate');
  expect((await write(path, { certificate: 'x' })).errors).toEqual(['certificate could not be PEM-decoded']);
});

test('an RSA root is signed with PSS, and what it signs, where that is asked for', async () => {
  const pss = await write('root/root/generate/internal', {
    ...{
      common_name: 'PSS',
      key_type: 'rsa',
      use_pss: true,
      signature_bits: 384,
      issuer_name: 'pss',
      ttl: '700h',
    },
  });
  expect((await read('root/issuer/pss')).data.revocation_signature_algorithm).toBe('SHA384WithRSAPSS');
  const anchor = file('pss', pss.data.certificate);
  expect(openssl('verify', '-CAfile', anchor, anchor)).toContain(': OK');
  const crl = await vault.call('GET', 'root/issuer/pss/crl/pem');
  expect(openssl('crl', '-in', file('crl', crl.text), '-noout', '-text')).toContain('rsassaPss');
  const { data } = await write('int/intermediate/generate/internal', { common_name: 'i', key_type: 'ec' });
  const signed = await write('root/issuer/pss/sign-intermediate', {
    csr: data.csr,
    ttl: '1h',
    use_pss: true,
  });
  expect(openssl('x509', '-in', file('signed', signed.data.certificate), '-noout', '-text')).toContain(
    'rsassaPss',
  );
});
