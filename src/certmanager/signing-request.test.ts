import { expect, test } from 'vitest';
import { issuance } from '../../test/support/certificates.ts';
import { seededEntropy } from '../base/entropy.ts';
import { readExtendedKeyUsage, readKeyUsage } from '../x509/extension.ts';
import { generateKey, readPrivateKey } from '../x509/key.ts';
import { formatName } from '../x509/name.ts';
import { oids } from '../x509/oid.ts';
import { readRequestPem, requestIsSelfConsistent } from '../x509/request.ts';
import { requestName } from './certificate-facts.ts';
import { parseDistinguishedName } from './distinguished-name.ts';
import type { CertificateRequest, CertificateSpec } from './kinds.ts';
import { encodePrivateKey, keyMismatches, keySpecFor } from './private-key.ts';
import { certificateMismatches, requestMismatches } from './request-match.ts';
import { signingRequest } from './signing-request.ts';
import { certificateProblem } from './spec-problem.ts';
import { namesIn } from './subject-names.ts';

const entropy = seededEntropy('signing request');
const key = generateKey({ type: 'ec', curve: 'P-256' }, entropy);
const base: CertificateSpec = { secretName: 's', issuerRef: { name: 'ca' }, commonName: 'web' };

const full: CertificateSpec = {
  ...base,
  subject: {
    organizations: ['Mesh', 'Example'],
    countries: ['DE'],
    organizationalUnits: ['Ops'],
    localities: ['Berlin'],
    provinces: ['BE'],
    streetAddresses: ['Street 1'],
    postalCodes: ['10115'],
    serialNumber: '7',
  },
  dnsNames: ['web.app', '*.app'],
  ipAddresses: ['10.0.0.1', '2001:0db8::0001', '::ffff:10.0.0.2'],
  uris: ['spiffe://mesh/web'],
  emailAddresses: ['ops@example.com'],
  otherNames: [{ oid: '1.3.6.1.4.1.311.20.2.3', utf8Value: 'web@example' }],
  usages: ['signing', 'cert sign', 'server auth', 's/mime', 'client auth'],
  isCA: true,
  duration: '48h',
  nameConstraints: { critical: true, permitted: { dnsDomains: ['app'], ipRanges: ['10.0.0.0/9'] } },
};

async function requestFor(spec: CertificateSpec): Promise<CertificateRequest> {
  const pem = await signingRequest(spec, key);
  const { issuerRef, duration, isCA, usages } = spec;
  return {
    apiVersion: 'cert-manager.io/v1',
    kind: 'CertificateRequest',
    metadata: { name: 'web-1' },
    spec: {
      request: Buffer.from(pem).toString('base64'),
      issuerRef,
      ...(duration === undefined ? {} : { duration }),
      ...(isCA === undefined ? {} : { isCA }),
      ...(usages === undefined ? {} : { usages }),
    },
  };
}

test('a request holds what the spec asks for, and proves its key', async () => {
  const request = readRequestPem(await signingRequest(full, key));
  expect(requestIsSelfConsistent(request)).toBe(true);
  expect(namesIn(request)).toEqual({
    commonName: 'web',
    serialNumber: '7',
    organizations: ['Mesh', 'Example'],
    organizationalUnits: ['Ops'],
    countries: ['DE'],
    provinces: ['BE'],
    localities: ['Berlin'],
    streetAddresses: ['Street 1'],
    postalCodes: ['10115'],
    dnsNames: ['web.app', '*.app'],
    emailAddresses: ['ops@example.com'],
    ipAddresses: ['10.0.0.1', '2001:db8::1', '10.0.0.2'],
    uris: ['spiffe://mesh/web'],
    otherNames: ['1.3.6.1.4.1.311.20.2.3=web@example'],
  });
  const extension = (oid: string) => request.extensions.find((one) => one.oid === oid);
  expect(extension(oids.keyUsage)?.critical).toBe(true);
  expect(readKeyUsage(extension(oids.keyUsage)!.value)).toEqual(['digital signature', 'cert sign']);
  expect(readExtendedKeyUsage(extension(oids.extendedKeyUsage)!.value)).toEqual([
    oids.serverAuth,
    oids.emailProtection,
    oids.clientAuth,
  ]);
  // Upstream leaves isCA to the issuer.
  expect(extension(oids.basicConstraints)).toBeUndefined();
  expect(extension(oids.subjectAltName)?.critical).toBe(false);
  // permitted subtrees: DNS app, IP 10.0.0.0 with mask 255.128.0.0 (RFC 5280 section 4.2.1.10)
  expect(extension(oids.nameConstraints)).toMatchObject({ critical: true });
  expect(extension(oids.nameConstraints)!.value.toString('hex')).toBe(
    '3015a01330058203617070300a87080a000000ff800000',
  );
});

test('without a subject the alternative names are critical; usages can be left out', async () => {
  const spec = { ...base, commonName: '', dnsNames: ['web.app'], encodeUsagesInRequest: false };
  const { extensions } = readRequestPem(await signingRequest(spec, key));
  expect(extensions.map(({ oid, critical }) => [oid, critical])).toEqual([[oids.subjectAltName, true]]);
});

test('what was requested matches the spec, with defaults written out or not', async () => {
  const request = await requestFor(full);
  expect(requestMismatches(request, full)).toEqual([]);
  const issuerRef = { name: 'ca', kind: 'Issuer', group: 'cert-manager.io' };
  const { duration: _, ...lasting } = full;
  expect(requestMismatches(request, { ...lasting, issuerRef })).toEqual([]);
  expect(requestMismatches(request, { ...full, duration: '2880m', dnsNames: ['*.app', 'web.app'] })).toEqual(
    [],
  );
});

test.each<[string, Partial<CertificateSpec>]>([
  ['spec.commonName', { commonName: 'other' }],
  ['spec.dnsNames', { dnsNames: ['web.app'] }],
  ['spec.ipAddresses', { ipAddresses: [] }],
  ['spec.uris', { uris: ['spiffe://mesh/api'] }],
  ['spec.emailAddresses', { emailAddresses: [] }],
  ['spec.otherNames', { otherNames: [] }],
  ['spec.subject.serialNumber', { subject: { ...full.subject, serialNumber: '8' } }],
  ['spec.subject.organizations', { subject: { ...full.subject, organizations: ['Mesh'] } }],
  ['spec.subject.postCodes', { subject: { ...full.subject, postalCodes: [] } }],
  ['spec.literalSubject', { literalSubject: 'CN=other' }],
  ['spec.isCA', { isCA: false }],
  ['spec.usages', { usages: ['server auth'] }],
  ['spec.duration', { duration: '24h' }],
  ['spec.issuerRef', { issuerRef: { name: 'ca', kind: 'ClusterIssuer' } }],
])('a request no longer matches %s', async (field, change) => {
  expect(requestMismatches(await requestFor(full), { ...full, ...change })).toEqual([field]);
});

test('a certificate without its request is compared loosely: names may move into the common name', async () => {
  const issue = issuance('loose');
  const { certificate } = await issue({ commonName: 'a', dnsNames: ['b'] });
  expect(certificateMismatches(certificate, { ...base, commonName: '', dnsNames: ['a', 'b'] })).toEqual([]);
  expect(certificateMismatches(certificate, { ...base, commonName: 'c', dnsNames: ['b'] })).toEqual([
    'spec.commonName',
  ]);
  expect(certificateMismatches(certificate, { ...base, commonName: 'a', dnsNames: ['b', 'd'] })).toEqual([
    'spec.dnsNames',
  ]);
});

test.each([
  ['CN=web,OU=mesh,O=example', 'O=example,OU=mesh,CN=web'],
  ['CN=web\\, the,O=ex\\2Bample', 'O=ex+ample,CN=web, the'],
  ['CN=K\\C3\\B6ln , DC=org', 'DC=org,CN=Köln'],
  ['CN=a+UID=b', 'CN=a,UID=b'],
  ['1.2.3.4=x', '1.2.3.4=x'],
])('the literal subject %s is %s', (text, expected) => {
  expect(formatName(parseDistinguishedName(text)).split(',').toSorted()).toEqual(
    expected.split(',').toSorted(),
  );
});

test.each(['web', '=web', 'XY=web', 'CN=web\\'])('the literal subject %j is refused', (text) => {
  expect(() => parseDistinguishedName(text)).toThrow(
    expect.objectContaining({ code: 'certmanager.subject' }),
  );
});

test.each<[string, Partial<CertificateSpec>]>([
  ['at least one of commonName', { commonName: '' }],
  ['unknown key usages: [peace]', { usages: ['peace'] }],
  ['is not an IP address', { ipAddresses: ['10.0.0.300'] }],
  ['spec.privateKey.size 512 is not possible for RSA', { privateKey: { size: 512 } }],
  ['spec.privateKey.size 192 is not possible for ECDSA', { privateKey: { algorithm: 'ECDSA', size: 192 } }],
  ['spec.duration: "long" is not a duration', { duration: 'long' }],
  ['spec.renewBefore must be positive', { renewBefore: '-1h' }],
  ['is not a CIDR block', { nameConstraints: { permitted: { ipRanges: ['10.0.0.0'] } } }],
])('a spec that cannot be fulfilled is told: %s', (message, change) => {
  expect(certificateProblem({ ...base, ...change })).toContain(message);
});

test('a spec in order has no problem', () => {
  expect(certificateProblem(full)).toBeUndefined();
});

test.each<[CertificateSpec['privateKey'], object]>([
  [undefined, { type: 'rsa', bits: 2048 }],
  [
    { algorithm: 'RSA', size: 4096 },
    { type: 'rsa', bits: 4096 },
  ],
  [{ algorithm: 'ECDSA' }, { type: 'ec', curve: 'P-256' }],
  [
    { algorithm: 'ECDSA', size: 521 },
    { type: 'ec', curve: 'P-521' },
  ],
  [{ algorithm: 'Ed25519' }, { type: 'ed25519' }],
])('privateKey %j is %j', (privateKey, expected) => {
  expect(keySpecFor({ ...base, ...(privateKey ? { privateKey } : {}) })).toEqual(expected);
});

test('keys are compared by algorithm, then size', () => {
  const wanted = { ...base, privateKey: { algorithm: 'ECDSA' as const, size: 384 } };
  expect(keyMismatches({ type: 'ec', curve: 'P-384' }, wanted)).toEqual([]);
  expect(keyMismatches({ type: 'ec', curve: 'P-256' }, wanted)).toEqual(['spec.privateKey.size']);
  expect(keyMismatches({ type: 'ed25519' }, wanted)).toEqual(['spec.privateKey.algorithm']);
});

test.each([
  ['ECDSA', undefined, 'EC PRIVATE KEY'],
  ['ECDSA', 'PKCS8', 'PRIVATE KEY'],
  ['Ed25519', 'PKCS1', 'PRIVATE KEY'],
] as const)('tls.key of %s in %s is a %s', (algorithm, encoding, label) => {
  const spec = { ...base, privateKey: { algorithm, ...(encoding ? { encoding } : {}) } };
  const made = generateKey(keySpecFor(spec), entropy);
  const pem = encodePrivateKey(made, spec);
  expect(pem).toMatch(new RegExp(`^-----BEGIN ${label}-----`));
  expect(readPrivateKey(pem).publicKey.spki.equals(made.publicKey.spki)).toBe(true);
});

test('request names stay within their limit and apart', () => {
  expect(requestName('web', 3)).toBe('web-3');
  expect(requestName('a'.repeat(233), 1)).toBe(`${'a'.repeat(233)}-1`);
  const [one, other] = [`${'a'.repeat(234)}b`, `${'a'.repeat(234)}c`].map((name) => requestName(name, 1));
  expect(one).toMatch(/^a{168}-[0-9a-f]{64}-1$/);
  expect(one).not.toBe(other);
});
