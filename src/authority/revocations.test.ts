import { beforeEach, expect, test } from 'vitest';
import { type AuthorityFixture, authorityFixture } from '../../test/support/authority-fixture.ts';
import { dayMs } from '../base/duration.ts';
import { seededEntropy } from '../base/entropy.ts';
import { buildCertificate, type Certificate, newSerial, serialText } from '../x509/certificate.ts';
import { generateKey } from '../x509/key.ts';
import { nameOf } from '../x509/name.ts';
import { signerOf } from '../x509/signature.ts';
import type { Authority } from './authority.ts';

const entropy = seededEntropy('revocations');

let fixture: AuthorityFixture;
let authority: Authority;

beforeEach(async () => {
  fixture = await authorityFixture('revocations fixture');
  ({ authority } = fixture);
});

test('a revocation is told by its serial in any form, once and for all', async () => {
  const certificate = await fixture.sign('a');
  const serial = serialText(certificate.serial);
  expect(await authority.revocations.status(serial)).toBeUndefined();
  const revokedAtMs = fixture.clock.now();
  expect(await authority.revocations.revoke(serial, { reason: 'superseded' })).toEqual({
    revokedAtMs,
    already: false,
  });
  await fixture.clock.advance(dayMs);
  const again = await authority.revocations.revoke(serial.replaceAll(':', '-').toUpperCase());
  expect(again).toEqual({ revokedAtMs, already: true });
  expect(await authority.revocations.status(serial)).toMatchObject({
    revokedAtMs,
    issuerId: authority.issuer('default').id,
    reason: 'superseded',
  });
});

test('a certificate that was not kept is revoked by itself, if an issuer here signed it, and is kept then', async () => {
  const certificate = await fixture.signAside();
  const serial = serialText(certificate.serial);
  await expect(authority.revocations.revoke(serial)).rejects.toMatchObject({
    code: 'authority.certificate.absent',
  });
  await authority.revocations.revoke(certificate);
  expect(await authority.revocations.status(serial)).toBeDefined();
  expect((await authority.certificate(serial))!.der).toEqual(certificate.der);
});

test('strangers, doubles, issuers and what is over are refused, and nothing changes', async () => {
  const kept = await fixture.sign('a', 10 * dayMs);
  const double = await fixture.signAside({ serial: kept.serial });
  const own = authority.issuer('default').certificate;
  const elsewhere = signerOf(generateKey({ type: 'ec', curve: 'P-256' }, entropy));
  const stranger = await buildCertificate(
    {
      serial: newSerial(entropy),
      issuer: own.subject,
      subject: nameOf({ commonName: 'stranger' }),
      notBefore: fixture.clock.now(),
      notAfter: fixture.clock.now() + dayMs,
      publicKey: elsewhere.publicKey,
      extensions: [],
    },
    elsewhere,
  );
  const before = await fixture.store.revision();
  const revoke = (what: Certificate) => authority.revocations.revoke(what);
  await expect(revoke(stranger)).rejects.toMatchObject({ code: 'authority.certificate.stranger' });
  await expect(revoke(double)).rejects.toMatchObject({ code: 'authority.certificate.other' });
  await expect(revoke(own)).rejects.toMatchObject({ code: 'authority.certificate.issuer' });
  await fixture.clock.advance(10 * dayMs);
  await expect(revoke(kept)).rejects.toMatchObject({ code: 'authority.certificate.expired' });
  expect(await fixture.store.revision()).toBe(before);
  await authority.revocations.setSettings({ allowExpiredCertRevocation: true });
  expect(await revoke(kept)).toMatchObject({ already: false });
});

test('of concurrent revocations one counts', async () => {
  const certificate = await fixture.sign('a');
  const results = await Promise.all(
    Array.from({ length: 5 }, () => authority.revocations.revoke(certificate)),
  );
  expect(results.filter(({ already }) => !already)).toHaveLength(1);
});

test('what was revoked is listed in order, in pages', async () => {
  const made = await Promise.all(['a', 'b', 'c'].map((name) => fixture.sign(name)));
  for (const certificate of made) await authority.revocations.revoke(certificate);
  const serials = made.map(({ serial }) => serialText(serial)).toSorted();
  expect(await authority.revocations.serials({})).toEqual(serials);
  expect(await authority.revocations.serials({ after: serials[0]!, limit: 1 })).toEqual([serials[1]]);
});
