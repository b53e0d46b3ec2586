import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { exampleNow, issue } from '../../test/support/example-chain.ts';
import { systemEntropy } from '../base/entropy.ts';
import { certificatePem, fingerprint, isSelfSigned, readCertificates, serialText } from './certificate.ts';
import { buildCrl, crlPem, readCrl } from './crl.ts';
import { subjectAltName } from './extension.ts';
import {
  generateKeyAsync,
  type KeySpec,
  keyIdentifier,
  readPrivateKey,
  samePublicKey,
  writePrivateKey,
} from './key.ts';
import { formatName, nameOf } from './name.ts';
import { decodePem } from './pem.ts';
import { buildRequest, readRequestPem, requestIsSelfConsistent, requestPem } from './request.ts';
import { signerOf } from './signature.ts';
import { verifyChain } from './verify.ts';

const folder = mkdtempSync(join(tmpdir(), 'capstan-openssl-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string) => join(folder, name);
const save = (name: string, text: string) => {
  writeFileSync(file(name), text);
  return file(name);
};
const openssl = (...args: string[]) => execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });
const absent = spawnSync('openssl', ['version']).status !== 0;

const kinds: readonly (readonly [name: string, spec: KeySpec, openssl: readonly string[]])[] = [
  ['P-224', { type: 'ec', curve: 'P-224' }, ['ec', '-pkeyopt', 'ec_paramgen_curve:P-224']],
  ['P-256', { type: 'ec', curve: 'P-256' }, ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256']],
  ['P-384', { type: 'ec', curve: 'P-384' }, ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384']],
  ['P-521', { type: 'ec', curve: 'P-521' }, ['ec', '-pkeyopt', 'ec_paramgen_curve:P-521']],
  ['RSA', { type: 'rsa', bits: 2048 }, ['rsa:2048']],
  ['Ed25519', { type: 'ed25519' }, ['ed25519']],
];

describe.skipIf(absent).each(kinds)('openssl and %s', (name, spec, algorithm) => {
  const keyOf = generateKeyAsync(spec, systemEntropy);

  test('reads our keys in both forms, and we read them back', async () => {
    const key = await keyOf;
    for (const form of ['pkcs8', 'traditional'] as const) {
      const pem = writePrivateKey(key, form);
      const spki = openssl('pkey', '-in', save(`${name}.${form}.pem`, pem), '-pubout', '-check');
      expect(decodePem(spki)[0]!.bytes).toEqual(key.publicKey.spki);
      expect(samePublicKey(readPrivateKey(pem).publicKey, key.publicKey)).toBe(true);
      expect(readPrivateKey(decodePem(pem)[0]!.bytes).spec).toEqual(spec);
    }
  });

  test('verifies our certificates, requests and revocation lists', async () => {
    const key = await keyOf;
    const root = await issue({ name: `root of ${name}`, ca: true, key });
    const leaf = await issue({ name: 'web.example.com', issuer: root });
    const at = String(exampleNow / 1_000);
    const rootFile = save(`${name}.root.pem`, certificatePem(root.certificate));
    const leafFile = save(`${name}.leaf.pem`, certificatePem(leaf.certificate));
    expect(
      openssl('verify', '-x509_strict', '-check_ss_sig', '-attime', at, '-CAfile', rootFile, leafFile),
    ).toBe(`${leafFile}: OK\n`);
    const request = await buildRequest(
      {
        subject: nameOf({ commonName: 'web' }),
        extensions: [subjectAltName([{ type: 'ip', value: '::1' }])],
      },
      signerOf(key),
    );
    const text = openssl(
      'req',
      '-verify',
      '-noout',
      '-text',
      '-in',
      save(`${name}.csr`, requestPem(request)),
    );
    expect(text).toContain('IP Address:0:0:0:0:0:0:0:1');
    const crl = await buildCrl(
      {
        issuer: root.certificate.subject,
        number: 2n ** 70n,
        thisUpdate: exampleNow,
        nextUpdate: exampleNow + 3_600_000,
        revoked: [{ serial: leaf.certificate.serial, revokedAt: exampleNow, reason: 'key compromise' }],
        authorityKeyId: root.certificate.subjectKeyId!,
      },
      signerOf(key),
    );
    const crlFile = save(`${name}.crl.pem`, crlPem(crl));
    expect(openssl('crl', '-in', crlFile, '-CAfile', rootFile, '-noout', '-text')).toContain(
      'Key Compromise',
    );
    const revoked = spawnSync(
      'openssl',
      ['verify', '-crl_check', '-attime', at, '-CAfile', rootFile, '-CRLfile', crlFile, leafFile],
      { encoding: 'utf8' },
    );
    expect(revoked.stderr).toContain('certificate revoked');
    expect(readCrl(crl)).toMatchObject({
      number: 2n ** 70n,
      thisUpdate: exampleNow,
      revoked: [{ serial: leaf.certificate.serial, revokedAt: exampleNow, reason: 'key compromise' }],
    });
  });

  test('writes keys, certificates and requests that we read and verify', () => {
    const key = file(`${name}.theirs.key`);
    const root = file(`${name}.theirs.pem`);
    const subject = '/C=CH/O=Größe/CN=their root';
    const newkey = [algorithm[0]!, ...algorithm.slice(1)];
    openssl(
      'req',
      '-x509',
      '-newkey',
      ...newkey,
      '-nodes',
      '-keyout',
      key,
      '-out',
      root,
      '-utf8',
      '-subj',
      subject,
    );
    const [certificate] = readCertificates(readFileSync(root, 'utf8'));
    expect(formatName(certificate!.subject)).toBe('C=CH,O=Größe,CN=their root');
    expect(certificate!.publicKey.spec).toEqual(spec);
    expect(isSelfSigned(certificate!)).toBe(true);
    expect(keyIdentifier(certificate!.publicKey)).toEqual(certificate!.subjectKeyId);
    const printed = openssl('x509', '-in', root, '-noout', '-fingerprint', '-sha256', '-serial');
    expect(printed.toLowerCase()).toContain(fingerprint(certificate!).match(/../g)!.join(':'));
    expect(serialText(certificate!.serial).replaceAll(':', '').replace(/^00/, '')).toBe(
      /serial=(\w+)/.exec(printed)![1]!.toLowerCase(),
    );
    const verdict = verifyChain(certificate!, {
      roots: [certificate!],
      intermediates: [],
      at: certificate!.notBefore,
    });
    expect(verdict.valid).toBe(true);
    const theirKey = readPrivateKey(readFileSync(key, 'utf8'));
    expect(samePublicKey(theirKey.publicKey, certificate!.publicKey)).toBe(true);
    const csr = openssl('req', '-new', '-key', key, '-subj', '/CN=web', '-addext', 'subjectAltName=DNS:web');
    const request = readRequestPem(csr);
    expect(requestIsSelfConsistent(request)).toBe(true);
    expect(request.subjectAltNames).toEqual([{ type: 'dns', value: 'web' }]);
  });
});

test.skipIf(absent)('RSA-PSS signatures of openssl verify, and only with the parameters they name', () => {
  const [key, pem] = [file('pss.key'), file('pss.pem')];
  const pss = ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:digest'];
  openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    key,
    '-out',
    pem,
    '-subj',
    '/CN=pss',
    ...pss,
  );
  expect(isSelfSigned(readCertificates(readFileSync(pem, 'utf8'))[0]!)).toBe(true);
});

test.skipIf(absent)('an encrypted key is refused by that name', () => {
  const key = file('secret.key');
  openssl('genpkey', '-algorithm', 'ed25519', '-aes256', '-pass', 'pass:secret', '-out', key);
  expect(() => readPrivateKey(readFileSync(key, 'utf8'))).toThrow('the private key is encrypted');
  openssl('rsa', '-in', file('pss.key'), '-traditional', '-aes128', '-passout', 'pass:secret', '-out', key);
  expect(() => readPrivateKey(readFileSync(key, 'utf8'))).toThrow('the RSA PRIVATE KEY is encrypted');
});
