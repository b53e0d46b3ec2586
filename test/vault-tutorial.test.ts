import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import nodeVault, { type client as NodeVault } from 'node-vault';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hourMs } from '../src/base/duration.ts';
import { ManualClock } from '../src/base/manual-clock.ts';
import { rootToken, type TestVault, testVault } from './support/vault.ts';

/** The steps of the Linkerd tutorial against Vault, taken by a client that is not ours, judged by OpenSSL. */

interface Secret {
  data: Record<string, unknown>;
  auth: {
    client_token: string;
    accessor: string;
    policies: string[];
    lease_duration: number;
    renewable: boolean;
  };
  warnings: string[] | null;
}

const folder = mkdtempSync(join(tmpdir(), 'capstan-tutorial-'));
const startMs = Date.UTC(2026, 5, 1);
let vault: TestVault;
let client: NodeVault;
let certManager: NodeVault;
let root: Secret;
let identity: Secret;

beforeAll(async () => {
  vault = await testVault({ clock: new ManualClock(startMs) });
  client = nodeVault({ endpoint: vault.endpoint, token: rootToken });
});
afterAll(() => vault.close());

function openssl(args: readonly string[], input?: string | Buffer): string {
  return execFileSync('openssl', args, { ...(input === undefined ? {} : { input }), encoding: 'utf8' });
}

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

test('vault status and vault login', async () => {
  expect(await client.status()).toMatchObject({ initialized: true, sealed: false });
  expect(await client.health()).toMatchObject({ initialized: true, sealed: false, standby: false });
  const { data } = (await client.tokenLookupSelf()) as Secret;
  expect(data).toMatchObject({ id: rootToken, policies: ['root'], ttl: 0, meta: null, orphan: true });
});

test('vault secrets enable pki, and tune', async () => {
  const config = { default_lease_ttl: '0s', max_lease_ttl: '0s', force_no_cache: false };
  await client.mount({ mount_point: 'pki', type: 'pki', description: '', config });
  await client.write('sys/mounts/pki/tune', {
    default_lease_ttl: '',
    max_lease_ttl: '2160h0m0s',
    description: undefined,
  });
  expect(((await client.read('sys/mounts/pki/tune')) as Secret).data).toMatchObject({
    default_lease_ttl: 768 * 3_600,
    max_lease_ttl: 2_160 * 3_600,
  });
});

test('vault write pki/config/urls', async () => {
  const urls = {
    issuing_certificates: 'http://127.0.0.1:8200/v1/pki/ca',
    crl_distribution_points: 'http://127.0.0.1:8200/v1/pki/crl',
  };
  expect(((await client.write('pki/config/urls', urls)) as Secret).data).toMatchObject({
    issuing_certificates: ['http://127.0.0.1:8200/v1/pki/ca'],
    crl_distribution_points: ['http://127.0.0.1:8200/v1/pki/crl'],
  });
});

test('vault policy write, and a token with that policy and nothing else', async () => {
  const policy =
    'path "pki*" {\n    capabilities = ["create", "read", "update", "delete", "list", "sudo"]\n}\n';
  await client.write('sys/policies/acl/pki_policy', { policy });
  expect(((await client.read('sys/policies/acl/pki_policy')) as Secret).data).toEqual({
    name: 'pki_policy',
    policy,
  });
  const { auth } = (await client.write('auth/token/create', {
    policies: 'pki_policy',
    no_parent: 'true',
    no_default_policy: 'true',
    renewable: 'true',
    ttl: '767h',
    num_uses: '0',
  })) as Secret;
  expect(auth).toMatchObject({
    policies: ['pki_policy'],
    lease_duration: 767 * 3_600,
    renewable: true,
    orphan: true,
  });
  certManager = nodeVault({ endpoint: vault.endpoint, token: auth.client_token });
  // It lacks the default policy, and so may not even look at itself.
  await expect(certManager.tokenLookupSelf()).rejects.toThrow('permission denied');
});

test('the trust anchor is as step prints it, and OpenSSL agrees with it', async () => {
  root = (await client.write('pki/root/generate/internal', {
    common_name: 'root.linkerd.cluster.local',
    ttl: '2160h',
    key_type: 'ec',
  })) as Secret;
  expect(root.warnings).toBeNull();
  expect(root.data).not.toHaveProperty('private_key');
  expect(root.data.expiration).toBe((startMs + 2_160 * hourMs) / 1_000);
  const path = file('root.pem', `${root.data.certificate as string}\n`);
  const text = openssl(['x509', '-in', path, '-noout', '-text', '-certopt', 'no_pubkey,no_sigdump,no_aux']);
  const keyId = /Subject Key Identifier: \n\s+(\S+)/.exec(text)![1]!;
  expect(
    text
      .replaceAll(keyId, 'KEY-ID')
      .replaceAll(/ +$/gm, '')
      .replace(/Serial Number:\n\s+\S+/, 'Serial Number: S'),
  ).toBe(
    `Certificate:
    Data:
        Version: 3 (0x2)
        Serial Number: S
        Signature Algorithm: ecdsa-with-SHA256
        Issuer: CN = root.linkerd.cluster.local
        Validity
            Not Before: May 31 23:59:30 2026 GMT
            Not After : Aug 30 00:00:00 2026 GMT
        Subject: CN = root.linkerd.cluster.local
        X509v3 extensions:
            X509v3 Key Usage: critical
                Certificate Sign, CRL Sign
            X509v3 Basic Constraints: critical
                CA:TRUE
            X509v3 Subject Key Identifier:
                KEY-ID
            X509v3 Authority Key Identifier:
                KEY-ID
            Authority Information Access:
                CA Issuers - URI:http://127.0.0.1:8200/v1/pki/ca
            X509v3 Subject Alternative Name:
                DNS:root.linkerd.cluster.local
            X509v3 CRL Distribution Points:
                Full Name:
                  URI:http://127.0.0.1:8200/v1/pki/crl
`,
  );
  expect(openssl(['verify', '-attime', `${startMs / 1_000}`, '-CAfile', path, path])).toContain(': OK');
});

test('cert-manager’s request, with texts for everything, is signed below it', async () => {
  const key = openssl(['ecparam', '-genkey', '-name', 'prime256v1', '-noout']);
  const request = [
    'req',
    '-new',
    '-key',
    file('key.pem', key),
    '-subj',
    '/CN=identity.linkerd.cluster.local',
  ];
  const csr = openssl([...request, '-addext', 'keyUsage=critical,keyCertSign,cRLSign']);
  identity = (await certManager.write('pki/root/sign-intermediate', {
    common_name: 'identity.linkerd.cluster.local',
    alt_names: 'identity.linkerd.cluster.local',
    ip_sans: '',
    uri_sans: '',
    ttl: '48h0m0s',
    csr,
    exclude_cn_from_sans: 'true',
  })) as Secret;
  expect(identity.warnings).toBeNull();
  expect(Object.keys(identity.data).toSorted()).toEqual([
    'ca_chain',
    'certificate',
    'expiration',
    'issuing_ca',
    'serial_number',
  ]);
  expect(identity.data).toMatchObject({
    issuing_ca: root.data.certificate,
    ca_chain: [identity.data.certificate, root.data.certificate],
    expiration: (startMs + 48 * hourMs) / 1_000,
  });
  const path = file('identity.pem', `${identity.data.certificate as string}\n`);
  const verified = [
    'verify',
    '-x509_strict',
    '-attime',
    `${startMs / 1_000 + 60}`,
    '-CAfile',
    join(folder, 'root.pem'),
    path,
  ];
  expect(openssl(verified)).toContain(': OK');
  expect(openssl(['x509', '-in', path, '-noout', '-pubkey'])).toBe(
    openssl(['pkey', '-in', join(folder, 'key.pem'), '-pubout']),
  );
  const serial = (identity.data.serial_number as string).replaceAll(':', '').toUpperCase().replace(/^0+/, '');
  expect(openssl(['x509', '-in', path, '-noout', '-serial']).trim().replace(/=0+/, '=')).toBe(
    `serial=${serial}`,
  );
});

test('what certificates point at is there for anyone, and OpenSSL accepts it', async () => {
  const open = (path: string) => vault.call('GET', `pki/${path}`, undefined, '');
  const pem = await open('ca/pem');
  expect([pem.status, pem.text]).toEqual([200, root.data.certificate]);
  expect(pem.headers.get('content-type')).toBe('application/pem-certificate-chain');
  expect((await open('ca_chain')).text).toBe(root.data.certificate);
  const crl = await fetch(`${vault.endpoint}/v1/pki/crl`);
  expect([crl.status, crl.headers.get('content-type')]).toEqual([200, 'application/pkix-crl']);
  const crlPath = file('crl.der', Buffer.from(await crl.arrayBuffer()));
  const args = [
    'crl',
    '-inform',
    'DER',
    '-in',
    crlPath,
    '-CAfile',
    join(folder, 'root.pem'),
    '-noout',
    '-text',
  ];
  const text = openssl(args);
  expect(text).toContain('No Revoked Certificates.');
  expect(text).toContain('Issuer: CN = root.linkerd.cluster.local');
  const crlPem = file('crl.pem', (await open('crl/pem')).text);
  const chain = [
    '-attime',
    `${startMs / 1_000 + 60}`,
    '-CAfile',
    join(folder, 'root.pem'),
    '-CRLfile',
    crlPem,
  ];
  expect(openssl(['verify', '-crl_check', ...chain, join(folder, 'identity.pem')])).toContain(': OK');
});

test('issued certificates are listed and read again', async () => {
  const { keys } = ((await client.list('pki/certs')) as Secret).data as { keys: string[] };
  expect(keys.toSorted()).toEqual(
    [root.data.serial_number as string, identity.data.serial_number as string].toSorted(),
  );
  const { data } = (await client.read(`pki/cert/${identity.data.serial_number as string}`)) as Secret;
  expect(data).toEqual({
    certificate: identity.data.certificate,
    revocation_time: 0,
    revocation_time_rfc3339: '',
  });
  const issuers = ((await client.list('pki/issuers')) as Secret).data as { keys: string[]; key_info: object };
  expect(issuers.keys).toEqual([root.data.issuer_id]);
  const issuer = ((await client.read('pki/issuer/default')) as Secret).data;
  expect(issuer).toMatchObject({
    issuer_id: root.data.issuer_id,
    certificate: `${root.data.certificate as string}\n`,
  });
});

test('the token dies on its hour, and with it cert-manager’s access', async () => {
  await vault.clock.advance(767 * hourMs - 1_000);
  await certManager.read('pki/config/urls');
  await vault.clock.advance(1_000);
  await expect(certManager.read('pki/config/urls')).rejects.toThrow('invalid token');
});

test('an exported root hands out its key once, and it is the certificate’s', async () => {
  await client.mount({ mount_point: 'other', type: 'pki' });
  for (const [format, keyType] of [
    ['pem', 'ec'],
    ['pem_bundle', 'rsa'],
    ['der', 'ed25519'],
  ] as const) {
    const { data, warnings } = (await client.write('other/root/generate/exported', {
      common_name: 'Exported Root',
      key_type: keyType,
      format,
    })) as Secret;
    expect(warnings).toEqual([expect.stringMatching(/hasn't configured any authority information access/)]);
    expect(data.private_key_type).toBe(keyType);
    const inform = format === 'der' ? ['-inform', 'DER'] : [];
    const bytes = (value: unknown) =>
      format === 'der' ? Buffer.from(value as string, 'base64') : (value as string);
    expect(openssl(['pkey', ...inform, '-pubout'], bytes(data.private_key))).toBe(
      openssl(['x509', ...inform, '-noout', '-pubkey'], bytes(data.certificate)),
    );
  }
});

test('vault secrets disable removes the mount and all that was in it', async () => {
  await client.unmount({ mount_point: 'other' });
  await expect(client.read('other/config/urls')).rejects.toThrow('no handler for route');
  const left = await vault.store.list({ prefix: 'data/' });
  const mounts = await vault.store.list({ prefix: 'mount/' });
  expect(mounts).toHaveLength(1);
  const uuid = mounts[0]!.key.slice('mount/'.length);
  expect(left.filter(({ key }) => !key.startsWith(`data/${uuid}/`))).toEqual([]);
});
