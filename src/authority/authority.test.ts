import { generateKeyPairSync } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { dayMs, hourMs } from '../base/duration.ts';
import { type Entropy, seededEntropy } from '../base/entropy.ts';
import { ManualClock } from '../base/manual-clock.ts';
import { memoryStore } from '../store/memory.ts';
import type { Store } from '../store/store.ts';
import { isSignedBy, serialText } from '../x509/certificate.ts';
import { readCrl } from '../x509/crl.ts';
import {
  basicConstraints,
  type Extension,
  extendedKeyUsage,
  findExtension,
  keyUsage,
  readAuthorityInfoAccess,
  readCrlDistributionPoints,
  subjectAltName,
} from '../x509/extension.ts';
import { generateKey, keyIdentifier, type PrivateKey, readPrivateKey } from '../x509/key.ts';
import { formatName, nameOf } from '../x509/name.ts';
import { oids } from '../x509/oid.ts';
import { buildRequest, type CertificateRequest } from '../x509/request.ts';
import { signerOf, verifySignature } from '../x509/signature.ts';
import { type Authority, openAuthority } from './authority.ts';
import type { RootRequest } from './ca-issuing.ts';
import type { CaRequest } from './ca-request.ts';

const entropy = seededEntropy('authority');
const guardKey = 'mount';
const urls = {
  issuingCertificates: ['http://ca.example/v1/pki/ca'],
  crlDistributionPoints: ['http://ca.example/v1/pki/crl'],
  deltaCrlDistributionPoints: [],
  ocspServers: [],
};
const asked: CaRequest = {
  commonName: '',
  subject: {},
  excludeCommonName: false,
  altNames: [],
  ipSans: [],
  uriSans: [],
  otherSans: [],
  validity: { ttlMs: 0, backdateMs: 30_000 },
  maxPathLength: undefined,
  permittedDnsDomains: [],
  keyUsage: [],
  subjectKeyId: undefined,
};
const rootRequest: RootRequest = {
  ...asked,
  commonName: 'root.linkerd.cluster.local',
  validity: { ttlMs: 90 * dayMs, backdateMs: 30_000 },
  key: { generate: { type: 'ec', curve: 'P-256' } },
  issuerName: '',
  keyName: '',
  hash: undefined,
};
const intermediate = { ...asked, useCsrValues: false, beyondIssuer: 'truncate' as const, hash: undefined };

let store: Store;
let clock: ManualClock;
let guardRevision: number;
let authority: Authority;
const open = (drawn: Entropy = entropy) =>
  openAuthority({
    store,
    prefix: 'data/x/',
    clock,
    entropy: drawn,
    limits: () => ({ defaultTtlMs: 32 * dayMs, maxTtlMs: 90 * dayMs }),
    guard: () => ({ key: guardKey, revision: guardRevision }),
  });

beforeEach(async () => {
  store = memoryStore();
  clock = new ManualClock();
  guardRevision = await store.commit({ puts: [{ key: guardKey, value: Buffer.from('') }] });
  authority = await open();
});

async function csr(
  commonName: string,
  extensions: Extension[] = [],
  key?: PrivateKey,
): Promise<CertificateRequest> {
  const signer = signerOf(key ?? generateKey({ type: 'ec', curve: 'P-256' }, entropy));
  return buildRequest(
    { subject: nameOf({ commonName, organization: ['from the request'] }), extensions },
    signer,
  );
}

const isDefault = ({ id }: { id: string }) => authority.defaults().issuerId === id;

/** No key that the product would make. */
function weakKey(): PrivateKey {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1_024 });
  return readPrivateKey(privateKey.export({ type: 'pkcs8', format: 'der' }));
}

test('a root is the tutorial’s: signed by itself, with URLs where they were set before', async () => {
  await authority.setUrls(urls);
  const { issuer, warnings } = await authority.generateRoot(rootRequest);
  const { certificate } = issuer;
  expect(warnings).toEqual([]);
  expect(formatName(certificate.subject)).toBe('CN=root.linkerd.cluster.local');
  expect(certificate.issuer.der).toEqual(certificate.subject.der);
  expect(isSignedBy(certificate, certificate)).toBe(true);
  expect(certificate.notBefore).toBe(clock.now() - 30_000);
  expect(certificate.notAfter).toBe(clock.now() + 90 * dayMs);
  expect(certificate.extensions.map(({ oid }) => oid)).toEqual([
    oids.keyUsage,
    oids.basicConstraints,
    oids.subjectKeyIdentifier,
    oids.authorityKeyIdentifier,
    oids.authorityInfoAccess,
    oids.subjectAltName,
    oids.crlDistributionPoints,
  ]);
  expect(certificate.keyUsage).toEqual(['cert sign', 'crl sign']);
  expect(certificate.isCa).toBe(true);
  expect(certificate.pathLength).toBeUndefined();
  expect(certificate.subjectKeyId).toEqual(keyIdentifier(certificate.publicKey));
  expect(certificate.authorityKeyId).toEqual(certificate.subjectKeyId);
  expect(certificate.subjectAltNames).toEqual([{ type: 'dns', value: 'root.linkerd.cluster.local' }]);
  const extension = (oid: string) => findExtension(certificate.extensions, oid)!.value;
  expect(readAuthorityInfoAccess(extension(oids.authorityInfoAccess))).toEqual({
    ocsp: [],
    caIssuers: urls.issuingCertificates,
  });
  expect(readCrlDistributionPoints(extension(oids.crlDistributionPoints))).toEqual(
    urls.crlDistributionPoints,
  );
});

test('an intermediate is of the request’s key and the parameters’ names', async () => {
  await authority.setUrls(urls);
  const root = (await authority.generateRoot(rootRequest)).issuer.certificate;
  const request = await csr('identity.linkerd.cluster.local', [
    keyUsage(['digital signature']),
    extendedKeyUsage([oids.serverAuth]),
    basicConstraints({ ca: false }),
    subjectAltName([{ type: 'dns', value: 'only.in.the.request' }]),
  ]);
  const { certificate, chain, warnings } = await authority.signIntermediate(
    'default',
    {
      ...intermediate,
      altNames: ['alt.example'],
      excludeCommonName: true,
      validity: { ttlMs: 48 * hourMs, backdateMs: 30_000 },
    },
    request,
  );
  expect(warnings).toEqual([]);
  expect(chain).toEqual([root]);
  expect(isSignedBy(certificate, root)).toBe(true);
  expect(formatName(certificate.subject)).toBe('CN=identity.linkerd.cluster.local');
  expect(certificate.publicKey.spki).toEqual(request.spki);
  expect(certificate.authorityKeyId).toEqual(root.subjectKeyId);
  expect(certificate.keyUsage).toEqual(['cert sign', 'crl sign']);
  expect(certificate.extendedKeyUsage).toBeUndefined();
  expect(certificate.isCa).toBe(true);
  expect(certificate.subjectAltNames).toEqual([{ type: 'dns', value: 'alt.example' }]);
  expect(certificate.notAfter).toBe(clock.now() + 48 * hourMs);
});

test('with use_csr_values the request’s subject, names and extensions count, but for what is the issuer’s', async () => {
  await authority.generateRoot(rootRequest);
  const request = await csr('wanted', [
    keyUsage(['digital signature', 'cert sign']),
    extendedKeyUsage([oids.serverAuth]),
    basicConstraints({ ca: false }),
    subjectAltName([{ type: 'dns', value: 'mine.example' }]),
  ]);
  const { certificate } = await authority.signIntermediate(
    'default',
    { ...intermediate, commonName: 'other', altNames: ['other.example'], useCsrValues: true },
    request,
  );
  expect(formatName(certificate.subject)).toBe('O=from the request,CN=wanted');
  expect(certificate.subjectAltNames).toEqual([{ type: 'dns', value: 'mine.example' }]);
  expect(certificate.extendedKeyUsage).toEqual([oids.serverAuth]);
  expect(certificate.keyUsage).toEqual(['digital signature', 'cert sign']);
  expect(certificate.isCa).toBe(true);
});

test('an intermediate that would outlive its issuer is cut, with a warning', async () => {
  const root = (
    await authority.generateRoot({ ...rootRequest, validity: { ttlMs: dayMs, backdateMs: 30_000 } })
  ).issuer;
  const { certificate, warnings } = await authority.signIntermediate(
    'default',
    intermediate,
    await csr('a.example'),
  );
  expect(certificate.notAfter).toBe(root.certificate.notAfter);
  expect(warnings).toContain(
    "the signed intermediary CA certificate's notAfter was truncated to the issuer's notAfter",
  );
});

describe('path lengths', () => {
  const below = async (rootLength: number | undefined, askedLength: number | undefined) => {
    await authority.generateRoot({ ...rootRequest, maxPathLength: rootLength });
    const request = { ...intermediate, maxPathLength: askedLength };
    return (await authority.signIntermediate('default', request, await csr('a.example'))).certificate
      .pathLength;
  };

  test('one less than the issuer’s, or what is asked for below that', async () => {
    expect(await below(undefined, undefined)).toBeUndefined();
  });
  test('are inherited', async () => expect(await below(2, undefined)).toBe(1));
  test('may be smaller', async () => expect(await below(2, 0)).toBe(0));
  test('may not be as large', async () => {
    await expect(below(1, 1)).rejects.toThrow(/must be a non-negative value less than 1/);
  });
  test('of zero allow no CA below', async () => {
    await expect(below(0, undefined)).rejects.toThrow(/max path length of zero, and cannot issue/);
  });
});

test('a request that does not prove its key, or whose key is weak, is turned down and leaves nothing', async () => {
  await authority.generateRoot(rootRequest);
  const before = await store.revision();
  const good = await csr('a.example');
  const other = await csr('b.example');
  const forged = { ...good, spki: other.spki, publicKey: other.publicKey, subjectAltNames: [] };
  await expect(authority.signIntermediate('default', intermediate, forged)).rejects.toThrow(
    'request signature invalid',
  );
  const weak = await csr('w.example', [], weakKey());
  await expect(authority.signIntermediate('default', intermediate, weak)).rejects.toThrow(
    /RSA keys < 2048 bits/,
  );
  expect(await store.revision()).toBe(before);
});

test('certificates are kept under their serials, in order, and found however a serial is written', async () => {
  await authority.generateRoot(rootRequest);
  for (let n = 0; n < 5; n++)
    await authority.signIntermediate('default', intermediate, await csr(`n${n}.example`));
  const serials = await authority.serials({});
  expect(serials).toHaveLength(6);
  expect(serials).toEqual(serials.toSorted());
  expect(await authority.serials({ after: serials[1]!, limit: 2 })).toEqual(serials.slice(2, 4));
  const [serial] = serials as [string];
  for (const text of [
    serial,
    serial.toUpperCase(),
    serial.replaceAll(':', '-'),
    serial.replaceAll(':', ''),
  ]) {
    expect(serialText((await authority.certificate(text))!.serial)).toBe(serial);
  }
  expect(await authority.certificate('00:11')).toBeUndefined();
  expect(await authority.certificate('')).toBeUndefined();
});

test('a serial that is taken is drawn again', async () => {
  const { issuer } = await authority.generateRoot(rootRequest);
  const taken = issuer.certificate.serial;
  const fresh = seededEntropy('fresh');
  let first = true;
  const repeating: Entropy = {
    bytes(size) {
      if (!first || size !== 20) return fresh.bytes(size);
      first = false;
      return Buffer.concat([Buffer.alloc(20 - taken.length), taken]);
    },
  };
  const other = await open(repeating);
  const { certificate } = await other.signIntermediate('default', intermediate, await csr('a.example'));
  expect(first).toBe(false);
  expect(certificate.serial.equals(taken)).toBe(false);
  expect(await authority.serials({})).toHaveLength(2);
});

test('it goes on where it ended, and sees what another node on the same store did', async () => {
  await authority.generateRoot({ ...rootRequest, issuerName: 'first' });
  const other = await open(seededEntropy('other'));
  expect(other.issuers().map(({ name }) => name)).toEqual(['first']);
  await other.setUrls(urls);
  // This one decides on what it read before, is refused by the store, reads again and signs with the URLs.
  const { certificate } = await authority.signIntermediate('first', intermediate, await csr('a.example'));
  expect(findExtension(certificate.extensions, oids.crlDistributionPoints)).toBeDefined();
});

test('nothing is written once its mount is gone', async () => {
  await authority.generateRoot(rootRequest);
  await store.commit({ deletes: [guardKey] });
  const before = await store.revision();
  await expect(
    authority.signIntermediate('default', intermediate, await csr('a.example')),
  ).rejects.toMatchObject({ code: 'store.conflict' });
  await expect(authority.crls.complete('default')).rejects.toMatchObject({ code: 'store.conflict' });
  expect(await store.revision()).toBe(before);
});

test('issuers and keys have names of their own; the first issuer is the default', async () => {
  const first = await authority.generateRoot({ ...rootRequest, issuerName: 'one', keyName: 'key-one' });
  const second = await authority.generateRoot({
    ...rootRequest,
    issuerName: 'two',
    key: { existing: 'key-one' },
  });
  expect(isDefault(first.issuer)).toBe(true);
  expect(isDefault(second.issuer)).toBe(false);
  expect(second.key.id).toBe(first.key.id);
  expect(second.issuer.certificate.publicKey.spki).toEqual(first.issuer.certificate.publicKey.spki);
  expect(authority.issuer('two').id).toBe(second.issuer.id);
  for (const [name, message] of [
    ['one', 'issuer name already in use'],
    ['default', "reserved keyword 'default'"],
    ['a b', 'invalid characters'],
  ] as const) {
    await expect(authority.generateRoot({ ...rootRequest, issuerName: name })).rejects.toThrow(message);
  }
  expect(() => authority.issuer('three')).toThrow('unable to find PKI issuer for reference: three');
});

test('the defaults are the first issuer and its key, until others are named or the latest is followed', async () => {
  expect(authority.defaults()).toEqual({
    issuerId: undefined,
    followsLatestIssuer: false,
    keyId: undefined,
  });
  const first = await authority.generateRoot({ ...rootRequest, issuerName: 'first', keyName: 'k1' });
  const second = await authority.generateRoot({ ...rootRequest, issuerName: 'second', keyName: 'k2' });
  expect(authority.defaults()).toMatchObject({ issuerId: first.issuer.id, keyId: first.key.id });
  await authority.setDefaults({ issuer: 'second' });
  expect(authority.defaults()).toMatchObject({ issuerId: second.issuer.id, keyId: first.key.id });
  expect(authority.issuer('default').id).toBe(second.issuer.id);
  await authority.setDefaults({ key: 'k2' });
  expect(authority.key('default').id).toBe(second.key.id);
  await authority.setDefaults({ issuer: 'first', followsLatestIssuer: true });
  const third = await authority.generateRoot({ ...rootRequest, key: { existing: 'k1' } });
  expect((await open()).defaults()).toEqual({
    issuerId: third.issuer.id,
    followsLatestIssuer: true,
    keyId: second.key.id,
  });
  await expect(authority.setDefaults({ issuer: 'none' })).rejects.toThrow('unable to find PKI issuer');
  await expect(authority.setDefaults({ key: 'none' })).rejects.toThrow('unable to find PKI key');
});

test('settings of an earlier version, which name no key, mean the default issuer’s', async () => {
  const { issuer, key } = await authority.generateRoot(rootRequest);
  const settings = { urls, defaultIssuerId: issuer.id };
  await store.commit({
    puts: [{ key: 'data/x/settings', value: Buffer.from(JSON.stringify(settings)) }],
  });
  authority = await open();
  expect(authority.key('default').id).toBe(key.id);
  await authority.generateRoot(rootRequest);
  expect(authority.key('default').id).toBe(key.id);
});

test('every kind of key makes a root that signs', async () => {
  for (const spec of [
    { type: 'ec', curve: 'P-384' },
    { type: 'ec', curve: 'P-521' },
    { type: 'ed25519' },
    { type: 'rsa', bits: 2_048 },
  ] as const) {
    const { issuer } = await authority.generateRoot({ ...rootRequest, key: { generate: spec } });
    expect(isSignedBy(issuer.certificate, issuer.certificate)).toBe(true);
    const { certificate } = await authority.signIntermediate(issuer.id, intermediate, await csr('a.example'));
    expect(isSignedBy(certificate, issuer.certificate)).toBe(true);
  }
  await expect(
    authority.generateRoot({ ...rootRequest, key: { generate: { type: 'rsa', bits: 1_024 } } }),
  ).rejects.toThrow(/< 2048/);
});

describe('the CRL', () => {
  const read = async () => readCrl((await authority.crls.complete('default'))!.der);

  test('is there, signed and empty, before anything was revoked', async () => {
    const { issuer } = await authority.generateRoot(rootRequest);
    const crl = await read();
    expect(crl.revoked).toEqual([]);
    expect(crl.thisUpdate).toBe(clock.now());
    expect(crl.nextUpdate).toBe(clock.now() + 72 * hourMs);
    const { signatureAlgorithm: algorithm, tbs: bytes, signature } = crl;
    expect(verifySignature({ algorithm, bytes, signature, publicKey: issuer.certificate.publicKey })).toBe(
      true,
    );
  });

  test('stays the same until its last half day, and then has a higher number, restarts included', async () => {
    await authority.generateRoot(rootRequest);
    const first = await read();
    await clock.advance(60 * hourMs - 1_000);
    expect((await read()).der).toEqual(first.der);
    authority = await open();
    expect((await read()).der).toEqual(first.der);
    await clock.advance(1_000);
    const [second, same] = await Promise.all([read(), read()]);
    expect(second.der).toEqual(same.der);
    expect([first.number, second.number].map(Number)).toEqual([1, 2]);
    expect(second.nextUpdate).toBe(clock.now() + 72 * hourMs);
  });

  test('is signed anew when asked to, for every issuer', async () => {
    await authority.generateRoot({ ...rootRequest, issuerName: 'one' });
    await authority.generateRoot({ ...rootRequest, issuerName: 'two' });
    const numbers = async () =>
      (await Promise.all(['one', 'two'].map((name) => authority.crls.complete(name)))).map(
        (crl) => crl!.number,
      );
    const before = await numbers();
    await authority.crls.rotate();
    expect(await numbers()).toEqual(before.map((number) => number + 1n));
  });

  test('needs an issuer', async () => {
    await expect(authority.crls.complete('default')).rejects.toThrow(
      'no default issuer currently configured',
    );
  });
});
