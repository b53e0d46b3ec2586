import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../src/base/manual-clock.ts';
import { rootToken, type TestVault, testVault } from './support/vault.ts';

/** CAs made by OpenSSL are taken in, cared for and removed. */
const folder = mkdtempSync(join(tmpdir(), 'capstan-issuers-'));
afterAll(() => rmSync(folder, { recursive: true }));

const signsLists = ['-addext', 'keyUsage=critical,keyCertSign,cRLSign'];
const keys: Record<string, string> = {};
const certificates: Record<string, string> = {};

function openssl(...args: readonly string[]): string {
  return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function root(name: string, key: string, ...more: readonly string[]): void {
  writeFileSync(join(folder, name), key);
  keys[name] = key;
  const subject = ['-subj', `/CN=root ${name}`, '-days', '30'];
  certificates[name] = openssl('req', '-x509', '-new', '-key', join(folder, name), ...subject, ...more);
}

beforeAll(() => {
  root('ec', openssl('ecparam', '-genkey', '-name', 'prime256v1'), ...signsLists);
  root('rsa', openssl('genrsa', '-traditional', '2048'));
  root('ed25519', openssl('genpkey', '-algorithm', 'ed25519'), ...signsLists);
  root('leaf', openssl('ecparam', '-genkey', '-name', 'prime256v1'), '-addext', 'basicConstraints=CA:FALSE');
});

let vault: TestVault;
beforeEach(async () => {
  // As OpenSSL does, which takes no other time.
  vault = await testVault({ clock: new ManualClock(Date.now()) });
  await vault.call('POST', 'sys/mounts/pki', { type: 'pki' });
});
afterEach(() => vault.close());

const write = (path: string, body: object = {}) => vault.call('POST', `pki/${path}`, body);
const read = (path: string) => vault.call('GET', `pki/${path}`);
const bundle = (...parts: readonly string[]) =>
  write('issuers/import/bundle', { pem_bundle: parts.join('') });

async function patch(path: string, body: object) {
  const response = await fetch(`${vault.endpoint}/v1/pki/${path}`, {
    method: 'PATCH',
    headers: { 'x-vault-token': rootToken, 'content-type': 'application/merge-patch+json' },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as { data?: Record<string, unknown>; errors?: string[] };
  return { status: response.status, data: answer.data ?? {}, errors: answer.errors ?? [] };
}

const only = (ids: unknown) => {
  expect(ids).toHaveLength(1);
  return (ids as string[])[0]!;
};

describe('import', () => {
  test('of certificates and keys of every form in any order; what was here before is told apart', async () => {
    const order = [
      keys.rsa!,
      certificates.ec!,
      certificates.rsa!,
      keys.ed25519!,
      keys.ec!,
      certificates.ed25519!,
    ];
    const first = await bundle('OpenSSL writes text\n', ...order);
    expect(first.status).toBe(200);
    expect(first.data).toMatchObject({ existing_issuers: null, existing_keys: null });
    const issuers = first.data.imported_issuers as string[];
    const imported = first.data.imported_keys as string[];
    const [rsaKey, edKey, ecKey] = imported;
    expect(first.data.mapping).toEqual({
      [issuers[0]!]: ecKey,
      [issuers[1]!]: rsaKey,
      [issuers[2]!]: edKey,
    });
    expect((await read('config/issuers')).data.default).toBe(issuers[0]);
    expect((await read('config/keys')).data.default).toBe(rsaKey);
    const again = await write('config/ca', { pem_bundle: order.join('\n') });
    expect(again.data).toMatchObject({
      imported_issuers: null,
      imported_keys: null,
      existing_issuers: issuers,
      existing_keys: imported,
    });
    expect((await vault.call('LIST', 'pki/issuers')).data.keys).toHaveLength(3);
  });

  test('a CA without its key is an issuer that signs nothing, until the key comes', async () => {
    const { data } = await write('issuers/import/cert', { pem_bundle: certificates.ec! });
    const id = only(data.imported_issuers);
    expect(data.mapping).toEqual({ [id]: '' });
    expect((await read('config/issuers')).data.default).toBe('');
    expect((await read(`issuer/${id}`)).data).toMatchObject({ key_id: '', revoked: false });
    await write('root/generate/internal', { common_name: 'other', key_type: 'ec', issuer_name: 'other' });
    const csr = (await write('issuer/other/sign-intermediate', {})).errors;
    expect(csr).toEqual(['"csr" is empty']);
    const request = openssl('req', '-new', '-key', join(folder, 'leaf'), '-subj', '/CN=i');
    const refusal = await write(`issuer/${id}/sign-intermediate`, { csr: request, ttl: '1h' });
    expect([refusal.status, refusal.errors[0]]).toEqual([
      500,
      expect.stringContaining(
        `could not fetch the CA certificate (was one set?): unable to fetch corresponding key for issuer ${id}; unable to use this issuer for signing`,
      ),
    ]);
    const key = await write('keys/import', {
      pem_bundle: openssl('pkcs8', '-topk8', '-nocrypt', '-in', join(folder, 'ec')),
    });
    expect(key.data).toMatchObject({ key_name: '', key_type: 'ec' });
    expect((await read(`issuer/${id}`)).data.key_id).toBe(key.data.key_id);
    const signed = await write(`issuer/${id}/sign-intermediate`, { csr: request, ttl: '1h' });
    expect(signed.data.ca_chain).toEqual([signed.data.certificate, certificates.ec!.trimEnd()]);
  });

  test.each([
    ['nothing', (): string => '', "'pem_bundle' and 'certificate' parameters were empty"],
    [
      'a path',
      (): string => '/etc/ca.pem',
      'provided data for import was too short; perhaps a path was passed to the API rather than the contents of a PEM file',
    ],
    ['no PEM', (): string => 'x'.repeat(80), 'error when parsing block 1: invalid PEM data'],
    ['text behind', (): string => `${certificates.ec!}rest`, 'error when parsing block 2: invalid PEM data'],
    [
      'a leaf',
      (): string => certificates.ec! + certificates.leaf!,
      (): string => `Error parsing issuer 1: Refusing to import non-CA certificate\n${certificates.leaf!}`,
    ],
    [
      'a public key',
      (): string => openssl('pkey', '-in', join(folder, 'ec'), '-pubout'),
      'Error parsing key 0: there is no private key, only PUBLIC KEY',
    ],
    [
      'a sealed key',
      (): string => openssl('pkcs8', '-topk8', '-in', join(folder, 'ec'), '-passout', 'pass:x'),
      'Error parsing key 0: the private key is encrypted; decrypt it first, such as with openssl pkey',
    ],
  ] as const)('of %s is refused, and nothing is kept', async (_, pem, message) => {
    const reply = await bundle(pem());
    expect([reply.status, reply.errors]).toEqual([400, [typeof message === 'string' ? message : message()]]);
    expect((await vault.call('LIST', 'pki/issuers')).status).toBe(404);
    expect((await vault.call('LIST', 'pki/keys')).status).toBe(404);
  });

  test('keys are not taken in where only certificates are', async () => {
    const both = certificates.ec! + keys.ec!;
    const message =
      'private keys found in the PEM bundle but not allowed by the path; use /issuers/import/bundle';
    expect((await write('issuers/import/cert', { pem_bundle: both })).errors).toEqual([message]);
    expect((await write('intermediate/set-signed', { certificate: both })).errors).toEqual([message]);
  });

  test('the default follows the latest, unless several could be it', async () => {
    await bundle(certificates.rsa!, keys.rsa!);
    await write('config/issuers', {
      default: (await read('config/issuers')).data.default,
      default_follows_latest_issuer: true,
    });
    const one = await bundle(certificates.ec!, keys.ec!, certificates.rsa!);
    expect((await read('config/issuers')).data.default).toBe(only(one.data.imported_issuers));
    await vault.call('DELETE', 'pki/root');
    await write('config/ca', { pem_bundle: certificates.leaf! });
    const many = await bundle(certificates.ec!, keys.ec!, certificates.rsa!, keys.rsa!);
    expect(many.warnings[0]).toContain('Default issuer left unchanged: could not select new issuer');
  });
});

describe('keys', () => {
  test('are generated, exported once where asked, named, renamed and deleted', async () => {
    const inner = await write('keys/generate/internal', { key_type: 'ec', key_name: 'inner' });
    expect(inner.data).toEqual({ key_id: inner.data.key_id, key_name: 'inner', key_type: 'ec' });
    const outer = await write('keys/generate/exported', { key_type: 'ed25519' });
    expect(outer.data.private_key).toMatch(/^-----BEGIN PRIVATE KEY-----\n.*-----END PRIVATE KEY-----$/s);
    expect((await read('config/keys')).data.default).toBe(inner.data.key_id);
    expect((await write('key/inner', { key_name: 'other' })).data).toMatchObject({ key_name: 'other' });
    const unnamed = await write('key/other');
    expect(unnamed.warnings).toEqual([
      `Name successfully deleted, you will now need to reference this key by it's Id: ${inner.data.key_id as string}`,
    ]);
    const made = await write('root/generate/existing', { common_name: 'r', key_ref: outer.data.key_id });
    const refusal = await vault.call('DELETE', `pki/key/${outer.data.key_id as string}`);
    expect([refusal.status, refusal.errors]).toEqual([
      400,
      [`Failed to Delete Key.  Key in Use by Issuer: ${made.data.issuer_id as string}`],
    ]);
    const deleted = await vault.call('DELETE', 'pki/key/default');
    expect(deleted.warnings[0]).toContain('this was configured as the default key');
    expect((await read('config/keys')).data.default).toBe('');
    expect((await read('key/default')).errors[0]).toContain('no default key currently configured');
    expect((await vault.call('DELETE', 'pki/key/none')).status).toBe(204);
  });

  test.each([
    [{ key_name: 'default' }, "reserved keyword 'default' can not be used as key name"],
    [{ key_name: 'a/b' }, 'key name contained invalid characters'],
    [
      { key_bits: 12 },
      'Validation for key_type, key_bits failed: RSA keys < 2048 bits are unsafe and not supported: got 12',
    ],
  ])('%j is refused', async (given, message) => {
    expect((await write('keys/generate/internal', given)).errors).toEqual([message]);
  });

  test('one of a KMS is named, and has to be known', async () => {
    const tried = async (named: Record<string, string>) =>
      (await write('keys/generate/kms', { key_name: 'hsm', ...named })).errors[0];
    expect(await tried({})).toBe('missing argument managed_key_name or managed_key_id');
    expect(await tried({ managed_key_name: 'a', managed_key_id: 'b' })).toContain('only one argument of');
    expect(await tried({ managed_key_name: 'a' })).toContain('no managed key found with name a');
  });
});

describe('an issuer', () => {
  const generate = (name: string) =>
    write('root/generate/internal', { common_name: name, key_type: 'ec', issuer_name: name });
  beforeEach(async () => {
    await generate('a');
  });

  test('is written whole, and patched in parts', async () => {
    const fresh = (await read('issuer/a')).data;
    expect(fresh).toMatchObject({
      leaf_not_after_behavior: 'err',
      manual_chain: null,
      revocation_signature_algorithm: 'ECDSAWithSHA256',
      revoked: false,
      usage: 'crl-signing,issuing-certificates,ocsp-signing,read-only',
    });
    expect(fresh).not.toHaveProperty('enable_aia_url_templating');
    const patched = await patch('issuer/a', {
      leaf_not_after_behavior: 'truncate',
      usage: 'read-only,crl-signing',
      revocation_signature_algorithm: 'ecdsawithsha384',
      ocsp_servers: 'http://ocsp.example',
    });
    const changed = {
      leaf_not_after_behavior: 'truncate',
      usage: 'crl-signing,read-only',
      revocation_signature_algorithm: 'ECDSAWithSHA384',
      ocsp_servers: ['http://ocsp.example'],
      enable_aia_url_templating: false,
    };
    expect(patched.data).toMatchObject({ ...changed, issuer_name: 'a' });
    expect((await patch('issuer/a', {})).data).toEqual(patched.data);
    expect((await write('issuer/a')).data).toEqual({
      ...fresh,
      issuer_name: '',
      revocation_signature_algorithm: '',
    });
  });

  test.each([
    [{ issuer_name: 'default' }, "reserved keyword 'default' can not be used as issuer name"],
    [{ issuer_name: 'b' }, 'issuer name already in use'],
    [{ issuer_name: '' }, 'expected non-empty issuer name'],
    [
      { leaf_not_after_behavior: 'x' },
      'Unknown value for field `leaf_not_after_behavior`. Possible values are `err`, `truncate`, `permit`, and `always_enforce_err`.',
    ],
    [
      { usage: 'x' },
      'Unable to parse specified usages: [x] - valid values are crl-signing,issuing-certificates,ocsp-signing,read-only',
    ],
    [{ manual_chain: 'self,none' }, 'unable to find PKI issuer for reference: none'],
    [{ manual_chain: 'b' }, 'expected first cert in chain to be a self-reference, but was: b/'],
    [
      { issuing_certificates: 'x' },
      'invalid URL found in Authority Information Access (AIA) parameter issuing_certificates: x',
    ],
    [
      { revocation_signature_algorithm: 'SHA256WithRSA' },
      'unable to use issuer of type ec to sign with SHA256WithRSA key type',
    ],
  ])('%j is refused, and nothing changes', async (given, message) => {
    await generate('b');
    const before = (await read('issuer/a')).data;
    const reply = await write('issuer/a', given);
    expect(reply.status).toBeGreaterThanOrEqual(400);
    expect(reply.errors[0]).toContain(message);
    expect((await read('issuer/a')).data).toEqual(before);
  });

  test('signs what its usage lets it sign', async () => {
    const csr = openssl('req', '-new', '-key', join(folder, 'leaf'), '-subj', '/CN=i');
    await write('roles/r', { allow_any_name: true, key_type: 'any' });
    await patch('issuer/a', { usage: 'crl-signing' });
    for (const path of ['root/sign-intermediate', 'sign/r']) {
      const reply = await write(path, { common_name: 'i', csr, ttl: '1h' });
      expect([reply.status, reply.errors[0]]).toEqual([
        500,
        expect.stringMatching(
          /requested usage issuing-certificates for issuer \[id:\S+ \/ name:a] but only had usage crl-signing,read-only/,
        ),
      ]);
    }
    await patch('issuer/a', { usage: 'issuing-certificates' });
    expect((await write('root/sign-intermediate', { csr, ttl: '1h' })).status).toBe(200);
  });

  test('has the chain that is said by hand, and again the one that its signatures tell', async () => {
    const b = (await generate('b')).data;
    const a = (await read('issuer/a')).data;
    const said = await write('issuer/a', { issuer_name: 'a', manual_chain: 'self,b' });
    expect(said.data.manual_chain).toEqual([a.issuer_id, b.issuer_id]);
    expect(said.data.ca_chain).toEqual([a.certificate, `${b.certificate as string}\n`]);
    expect((await patch('issuer/a', { manual_chain: [] })).data.ca_chain).toEqual([a.certificate]);
  });

  test('that is deleted takes nothing with it; roles that name it are counted', async () => {
    await write('roles/r', { issuer_ref: 'a' });
    await write('roles/s', {});
    const renamed = await write('issuer/a', { issuer_name: 'b' });
    expect(renamed.warnings).toEqual(['1 roles reference a']);
    const { data } = await read('issuer/b');
    const deleted = await vault.call('DELETE', 'pki/issuer/b');
    expect(deleted.warnings).toEqual([
      `Deleted issuer ${data.issuer_id as string} (via issuer_ref b); this was configured as the default issuer. Operations without an explicit issuer will not work until a new default is configured.`,
      '1 roles reference default',
    ]);
    expect((await read('config/issuers')).data.default).toBe('');
    expect((await read('config/keys')).data.default).toBe(data.key_id);
    expect((await vault.call('DELETE', 'pki/issuer/b')).status).toBe(200);
    await generate('c');
    expect((await vault.call('DELETE', 'pki/root')).warnings[0]).toContain(
      'DELETE /root deletes all keys and issuers',
    );
    expect((await vault.call('LIST', 'pki/keys')).status).toBe(404);
  });
});

describe('URLs', () => {
  const issue = async (path: string) => {
    const csr = openssl('req', '-new', '-key', join(folder, 'leaf'), '-subj', '/CN=i');
    const { data, errors } = await write(path, { common_name: 'i', csr, ttl: '1h' });
    if (errors.length > 0) return errors[0]!;
    writeFileSync(join(folder, 'signed'), data.certificate as string);
    return openssl(
      'x509',
      '-in',
      join(folder, 'signed'),
      '-noout',
      '-ext',
      'authorityInfoAccess,crlDistributionPoints',
    );
  };

  test('are filled in by issuer and address; an issuer’s own stand before the mount’s', async () => {
    const a = await write('root/generate/internal', { common_name: 'a', key_type: 'ec', issuer_name: 'a' });
    const id = a.data.issuer_id as string;
    const urls = {
      issuing_certificates: '{{cluster_aia_path}}/issuer/{{issuer_id}}/der',
      crl_distribution_points: '{{cluster_path}}/crl',
    };
    expect((await write('config/urls', urls)).status).toBe(400);
    const lacking = await write('config/urls', { ...urls, enable_templating: true });
    expect(lacking.warnings[0]).toContain(
      'issuance may fail: unable to template AIA URLs as we lack local cluster',
    );
    expect(await issue('root/sign-intermediate')).toContain(
      'we lack local cluster address information (aia_path)',
    );
    expect((await write('config/cluster', { path: 'no url' })).status).toBe(500);
    await write('config/cluster', { path: 'https://ca.example/v1/pki' });
    await write('config/cluster', { aia_path: 'http://cdn.example/pki' });
    expect((await read('config/cluster')).data).toEqual({
      path: 'https://ca.example/v1/pki',
      aia_path: 'http://cdn.example/pki',
    });
    const text = await issue('root/sign-intermediate');
    expect(text).toContain(`URI:http://cdn.example/pki/issuer/${id}/der`);
    expect(text).toContain('URI:https://ca.example/v1/pki/crl');
    const b = await write('root/generate/internal', { common_name: 'b', key_type: 'ec', issuer_name: 'b' });
    expect(b.warnings[0]).toContain(
      'When generating root CA, found global AIA configuration with issuer_id template',
    );
    await patch('issuer/b', {
      ocsp_servers: 'http://{{issuer_id}}.example/',
      enable_aia_url_templating: true,
    });
    const own = await issue('issuer/b/sign-intermediate');
    expect(own).toContain(`OCSP - URI:http://${b.data.issuer_id as string}.example/`);
    expect(own).not.toContain('CA Issuers');
    expect(own).not.toContain('CRL Distribution');
  });
});
