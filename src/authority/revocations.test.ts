import { beforeEach, expect, test } from 'vitest';
import { dayMs } from '../base/duration.ts';
import { seededEntropy } from '../base/entropy.ts';
import { ManualClock } from '../base/manual-clock.ts';
import { memoryStore } from '../store/memory.ts';
import type { Store } from '../store/store.ts';
import { buildCertificate, type Certificate, newSerial, serialText } from '../x509/certificate.ts';
import { generateKey } from '../x509/key.ts';
import { nameOf } from '../x509/name.ts';
import { buildRequest } from '../x509/request.ts';
import { signerOf } from '../x509/signature.ts';
import { type Authority, openAuthority } from './authority.ts';

const entropy = seededEntropy('revocations');
const guardKey = 'mount';
const asked = {
  subject: {},
  excludeCommonName: false,
  altNames: [],
  ipSans: [],
  uriSans: [],
  otherSans: [],
  validity: { ttlMs: 90 * dayMs, backdateMs: 30_000 },
  maxPathLength: undefined,
  permittedDnsDomains: [],
  keyUsage: [],
  subjectKeyId: undefined,
  hash: undefined,
};

let store: Store;
let clock: ManualClock;
let authority: Authority;

beforeEach(async () => {
  store = memoryStore();
  clock = new ManualClock();
  const revision = await store.commit({ puts: [{ key: guardKey, value: Buffer.from('') }] });
  authority = await openAuthority({
    store,
    prefix: 'data/x/',
    clock,
    entropy,
    limits: () => ({ defaultTtlMs: 32 * dayMs, maxTtlMs: 90 * dayMs }),
    guard: () => ({ key: guardKey, revision }),
  });
  await root('root');
});

function root(commonName: string) {
  const key = { generate: { type: 'ec', curve: 'P-256' } } as const;
  return authority.generateRoot({ ...asked, commonName, key, issuerName: '', keyName: '' });
}

async function sign(commonName: string, ttlMs = 30 * dayMs): Promise<Certificate> {
  const signer = signerOf(generateKey({ type: 'ec', curve: 'P-256' }, entropy));
  const csr = await buildRequest({ subject: nameOf({ commonName }), extensions: [] }, signer);
  const request = {
    ...asked,
    commonName,
    useCsrValues: false,
    beyondIssuer: 'truncate' as const,
    validity: { ttlMs, backdateMs: 30_000 },
  };
  return (await authority.signIntermediate('default', request, csr)).certificate;
}

/** One that an issuer's key signed without the authority keeping it. */
function signAside(serial = newSerial(entropy)): Promise<Certificate> {
  const issuer = authority.issuer('default');
  const template = {
    serial,
    issuer: issuer.certificate.subject,
    subject: nameOf({ commonName: 'aside' }),
    notBefore: clock.now(),
    notAfter: clock.now() + 10 * dayMs,
    publicKey: generateKey({ type: 'ec', curve: 'P-256' }, entropy).publicKey,
    extensions: [],
  };
  return buildCertificate(template, signerOf(authority.key(issuer.keyId!).privateKey));
}

test('a revocation is told by its serial in any form, once and for all', async () => {
  const certificate = await sign('a');
  const serial = serialText(certificate.serial);
  expect(await authority.revocations.status(serial)).toBeUndefined();
  const revokedAtMs = clock.now();
  expect(await authority.revocations.revoke(serial, { reason: 'superseded' })).toEqual({
    revokedAtMs,
    already: false,
  });
  await clock.advance(dayMs);
  const again = await authority.revocations.revoke(serial.replaceAll(':', '-').toUpperCase());
  expect(again).toEqual({ revokedAtMs, already: true });
  expect(await authority.revocations.status(serial)).toMatchObject({
    revokedAtMs,
    issuerId: authority.issuer('default').id,
    reason: 'superseded',
  });
});

test('a certificate that was not kept is revoked by itself, if an issuer here signed it, and is kept then', async () => {
  const certificate = await signAside();
  const serial = serialText(certificate.serial);
  await expect(authority.revocations.revoke(serial)).rejects.toMatchObject({
    code: 'authority.certificate.absent',
  });
  await authority.revocations.revoke(certificate);
  expect(await authority.revocations.status(serial)).toBeDefined();
  expect((await authority.certificate(serial))!.der).toEqual(certificate.der);
});

test('strangers, doubles, issuers and what is over are refused, and nothing changes', async () => {
  const kept = await sign('a', 10 * dayMs);
  const double = await signAside(kept.serial);
  const own = authority.issuer('default').certificate;
  const elsewhere = signerOf(generateKey({ type: 'ec', curve: 'P-256' }, entropy));
  const stranger = await buildCertificate(
    {
      serial: newSerial(entropy),
      issuer: own.subject,
      subject: nameOf({ commonName: 'stranger' }),
      notBefore: clock.now(),
      notAfter: clock.now() + dayMs,
      publicKey: elsewhere.publicKey,
      extensions: [],
    },
    elsewhere,
  );
  const before = await store.revision();
  const revoke = (what: Certificate) => authority.revocations.revoke(what);
  await expect(revoke(stranger)).rejects.toMatchObject({ code: 'authority.certificate.stranger' });
  await expect(revoke(double)).rejects.toMatchObject({ code: 'authority.certificate.other' });
  await expect(revoke(own)).rejects.toMatchObject({ code: 'authority.certificate.issuer' });
  await clock.advance(10 * dayMs);
  await expect(revoke(kept)).rejects.toMatchObject({ code: 'authority.certificate.expired' });
  expect(await store.revision()).toBe(before);
});

test('of concurrent revocations one counts', async () => {
  const certificate = await sign('a');
  const results = await Promise.all(
    Array.from({ length: 5 }, () => authority.revocations.revoke(certificate)),
  );
  expect(results.filter(({ already }) => !already)).toHaveLength(1);
});
