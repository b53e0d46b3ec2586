import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { exampleNow, issue } from '../../test/support/example-chain.ts';
import { mutate, mutations } from '../../test/support/mutation.ts';
import { Fault } from '../base/fault.ts';
import type { RevocationReason } from './crl.ts';
import { contextConstructed, type DerWriter, writeDer } from './der.ts';
import { keyIdentifier } from './key.ts';
import { buildOcspRequest, readOcspRequest } from './ocsp-request.ts';
import { buildOcspResponse, type CertificateStatus, ocspError, readOcspResponse } from './ocsp-response.ts';
import { signerOf, verifySignature } from './signature.ts';

const root = await issue({ name: 'root', ca: true });
const leaf = await issue({ name: 'leaf', issuer: root });

const request = (nonce?: Uint8Array) => buildOcspRequest(leaf.certificate, root.certificate, nonce);

function orFault<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Fault && error.code.startsWith('x509.')) return undefined;
    throw error;
  }
}

test('a request names its certificate, and its nonce where it has one', () => {
  const { certificates, nonce } = readOcspRequest(request(Buffer.from('a nonce')));
  expect(certificates).toHaveLength(1);
  expect(certificates[0]).toMatchObject({ hash: 'sha1', serial: leaf.certificate.serial });
  expect(nonce).toEqual(Buffer.from('a nonce'));
  expect(readOcspRequest(request()).nonce).toBeUndefined();
});

test.each([0, 129])('a nonce of %d bytes is refused', (length) => {
  expect(() => readOcspRequest(request(Buffer.alloc(length, 1)))).toThrow(`its nonce has ${length} bytes`);
});

test('requests about none or too many, and too large ones, are refused', () => {
  const single = (writer: DerWriter) =>
    writer.sequence(() => writer.raw(readOcspRequest(request()).certificates[0]!.der));
  const about = (count: number) =>
    writeDer((writer) =>
      writer.sequence(() =>
        writer.sequence(() =>
          writer.sequence(() => {
            for (let index = 0; index < count; index++) single(writer);
          }),
        ),
      ),
    );
  expect(readOcspRequest(about(16)).certificates).toHaveLength(16);
  for (const count of [0, 17]) {
    expect(() => readOcspRequest(about(count))).toThrow(`asks about ${count} certificates`);
  }
  expect(() => readOcspRequest(Buffer.alloc(5_000, 0x30))).toThrow(Fault);
});

test('whatever somebody makes of a request is read, or refused with a fault', () => {
  const der = request(Buffer.alloc(16, 7));
  fc.assert(
    fc.property(mutations, (changes) => {
      const changed = mutate(der, changes);
      const read = orFault(() => readOcspRequest(changed));
      for (const { der: id } of read?.certificates ?? []) expect(changed.includes(id)).toBe(true);
    }),
    { numRuns: 3_000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      orFault(() => readOcspRequest(Buffer.from(bytes)));
    }),
  );
});

const reasons: RevocationReason[] = ['key compromise', 'superseded', 'privilege withdrawn'];
const statuses = fc.oneof<fc.Arbitrary<CertificateStatus>[]>(
  fc.constantFrom<CertificateStatus>({ status: 'good' }, { status: 'unknown' }),
  fc.record({
    status: fc.constant('revoked' as const),
    revokedAt: fc.integer({ min: 0, max: 4_000_000_000 }).map((seconds) => seconds * 1_000),
    reason: fc.constantFrom(...reasons),
  }),
);

test('an answer reads back as what it was made of, and is signed', async () => {
  const [certificate] = readOcspRequest(request()).certificates;
  await fc.assert(
    fc.asyncProperty(
      statuses,
      fc.option(fc.uint8Array({ minLength: 1, maxLength: 32 })),
      async (is, nonce) => {
        const response = {
          certificate: certificate!,
          is,
          thisUpdate: exampleNow,
          nextUpdate: exampleNow + 5_000,
        };
        const der = await buildOcspResponse(
          {
            producedAt: exampleNow,
            responses: [response],
            responderKeyId: keyIdentifier(root.key.publicKey),
            ...(nonce ? { nonce } : {}),
          },
          signerOf(root.key),
        );
        const { status, basic } = readOcspResponse(der);
        expect(status).toBe('successful');
        expect(basic).toMatchObject({ producedAt: exampleNow, responses: [response], certificates: [] });
        expect(basic!.nonce).toEqual(nonce ? Buffer.from(nonce) : undefined);
        const { tbs: bytes, signatureAlgorithm: algorithm, signature } = basic!;
        expect(verifySignature({ algorithm, bytes, signature, publicKey: root.key.publicKey })).toBe(true);
        for (const changes of fc.sample(mutations, 20)) orFault(() => readOcspResponse(mutate(der, changes)));
      },
    ),
    { numRuns: 50 },
  );
});

test('errors are their status alone; what is no status is refused', () => {
  expect(readOcspResponse(ocspError('unauthorized'))).toEqual({ status: 'unauthorized' });
  expect(ocspError('malformed request')).toEqual(Buffer.from('30030a0101', 'hex'));
  expect(() => readOcspResponse(Buffer.from('30030a0104', 'hex'))).toThrow('none that RFC 6960 knows');
  const empty = writeDer((writer) => writer.wrap(contextConstructed(0), () => {}));
  expect(() => readOcspResponse(empty)).toThrow(Fault);
});
