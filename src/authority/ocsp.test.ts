import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { type AuthorityFixture, authorityFixture } from '../../test/support/authority-fixture.ts';
import { hourMs } from '../base/duration.ts';
import { type Certificate, certificatePem, serialText } from '../x509/certificate.ts';
import { tags, writeDer } from '../x509/der.ts';
import { type PrivateKey, writePrivateKey } from '../x509/key.ts';
import { buildOcspRequest } from '../x509/ocsp-request.ts';
import { type OcspResponse, readOcspResponse } from '../x509/ocsp-response.ts';
import { oids } from '../x509/oid.ts';
import { verifySignature } from '../x509/signature.ts';
import { publicKeyBytes } from '../x509/spki.ts';
import type { Authority } from './authority.ts';

let fixture: AuthorityFixture;
let authority: Authority;
let root: Certificate;

beforeEach(async () => {
  fixture = await authorityFixture('ocsp');
  ({ authority } = fixture);
  root = authority.issuer('default').certificate;
});

async function ask(certificate: Certificate, options: { nonce?: Buffer; issuer?: Certificate } = {}) {
  const { issuer = root, nonce } = options;
  const { der, holds } = await authority.ocsp.answer(buildOcspRequest(certificate, issuer, nonce));
  return { ...readOcspResponse(der), der, holds };
}

const single = ({ basic }: OcspResponse) => basic!.responses[0]!;

test('what was issued is good, what was revoked is revoked at once, and the issuer signs', async () => {
  const certificate = await fixture.sign('a');
  const good = await ask(certificate);
  expect(single(good)).toMatchObject({
    is: { status: 'good' },
    thisUpdate: fixture.clock.now(),
    nextUpdate: fixture.clock.now() + 12 * hourMs,
  });
  expect((await ask(certificate)).der).toEqual(good.der);
  await authority.revocations.revoke(certificate, { reason: 'key compromise' });
  const revoked = await ask(certificate);
  const is = { status: 'revoked', revokedAt: fixture.clock.now(), reason: 'key compromise' };
  expect(single(revoked).is).toEqual(is);
  const { tbs: bytes, signatureAlgorithm: algorithm, signature } = revoked.basic!;
  expect(verifySignature({ algorithm, bytes, signature, publicKey: root.publicKey })).toBe(true);
});

test('a revocation on another node is told at once, though this one has an answer', async () => {
  const other = await fixture.open();
  const certificate = await fixture.sign('a');
  await ask(certificate);
  await other.revocations.revoke(certificate);
  expect(single(await ask(certificate)).is.status).toBe('revoked');
});

test('answers are renewed half way through their time', async () => {
  const certificate = await fixture.sign('a');
  const first = await ask(certificate);
  await fixture.clock.advance(6 * hourMs - 1_000);
  const same = await ask(certificate);
  expect(same.der).toEqual(first.der);
  expect(same.holds!.forMs).toBe(6 * hourMs + 1_000);
  await fixture.clock.advance(1_000);
  expect(single(await ask(certificate)).thisUpdate).toBe(fixture.clock.now());
});

test('a serial that was never given out is unknown, and so is one of another issuer', async () => {
  const certificate = await fixture.sign('a');
  const never = await fixture.signAside();
  const answer = single(await ask(never));
  expect(answer.is).toEqual({ status: 'unknown' });
  expect(answer.nextUpdate).toBeUndefined();
  const { issuer } = await fixture.root('other', { issuerName: 'other' });
  expect(single(await ask(certificate, { issuer: issuer.certificate })).is.status).toBe('unknown');
  await authority.revocations.revoke(certificate);
  expect(single(await ask(certificate, { issuer: issuer.certificate })).is.status).toBe('unknown');
});

test('a nonce comes back, in an answer of its own', async () => {
  const certificate = await fixture.sign('a');
  const nonce = Buffer.from('0123456789abcdef');
  const answer = await ask(certificate, { nonce });
  expect(answer.basic!.nonce).toEqual(nonce);
  expect(answer.holds).toBeUndefined();
  expect((await ask(certificate)).basic!.nonce).toBeUndefined();
});

test.each(['sha256', 'sha384', 'sha512'] as const)(
  'an issuer is known by its %s hashes, too',
  async (hash) => {
    const certificate = await fixture.sign('a');
    const digest = (bytes: Buffer) => createHash(hash).update(bytes).digest();
    const request = writeDer((writer) =>
      writer.sequence(() =>
        writer.sequence(() =>
          writer.sequence(() =>
            writer.sequence(() =>
              writer.sequence(() => {
                writer.sequence(() => writer.oid(oids[hash]));
                writer.octetString(digest(root.subject.der)).octetString(digest(publicKeyBytes(root.spki)));
                writer.primitive(tags.integer, certificate.serial);
              }),
            ),
          ),
        ),
      ),
    );
    const { der } = await authority.ocsp.answer(request);
    const { certificate: id, is } = single(readOcspResponse(der));
    expect(is.status).toBe('good');
    expect(id.hash).toBe(hash);
  },
);

describe('answers without a signature', () => {
  test('what is no request is malformed', async () => {
    expect(await authority.ocsp.answer(Buffer.from('hello'))).toMatchObject({ status: 'malformed request' });
  });

  test('where it is disabled, or the issuer may not, nobody is authorized', async () => {
    const certificate = await fixture.sign('a');
    const request = buildOcspRequest(certificate, root);
    expect((await ask(certificate)).status).toBe('successful');
    await authority.revocations.setSettings({ ocspDisable: true });
    expect((await authority.ocsp.answer(request)).status).toBe('unauthorized');
    await authority.revocations.setSettings({ ocspDisable: false });
    await authority.changeIssuer('default', { usage: ['crl-signing', 'issuing-certificates'] });
    expect((await authority.ocsp.answer(request)).status).toBe('unauthorized');
  });
});

test('after an import nobody can say what a key has signed: unknown serials count as good', async () => {
  const never = await fixture.signAside();
  const elsewhere = await authorityFixture('ocsp elsewhere');
  const key = authority.key(authority.issuer('default').keyId!);
  await elsewhere.authority.importBundle(
    `${certificatePem(root)}${writePrivateKey(key.privateKey as PrivateKey, 'pkcs8')}`,
    { keysAllowed: true },
  );
  const { der } = await elsewhere.authority.ocsp.answer(buildOcspRequest(never, root));
  expect(single(readOcspResponse(der)).is.status).toBe('good');
  await elsewhere.authority.revocations.revoke(never);
  const { der: after } = await elsewhere.authority.ocsp.answer(buildOcspRequest(never, root));
  expect(single(readOcspResponse(after)).is.status).toBe('revoked');
  expect(await elsewhere.authority.certificate(serialText(never.serial))).toBeDefined();
});
