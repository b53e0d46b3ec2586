import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { exampleChain, exampleNow } from '../../test/support/example-chain.ts';
import { mutate, mutations } from '../../test/support/mutation.ts';
import { Fault } from '../base/fault.ts';
import { type Certificate, readCertificate } from './certificate.ts';
import { buildCrl, readCrl } from './crl.ts';
import { printCertificateJson, printRequestJson } from './print-json.ts';
import { printCertificateShort, printRequestShort } from './print-short.ts';
import { printCertificate, printRequest } from './print-text.ts';
import { readRequest } from './request.ts';
import { signerOf } from './signature.ts';
import { verifyChain } from './verify.ts';

const { root, intermediate, leaf, request } = await exampleChain();

/** What `act` answers; undefined where it refuses with a fault. Any other failure is one of the test. */
function orFault<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}

const certificates = fc
  .tuple(fc.constantFrom(root, intermediate, leaf), mutations)
  .map(([{ certificate }, changes]) => mutate(certificate.der, changes));

test('whatever is in a certificate that can be read, printing it fails with nothing but a fault', () => {
  let printed = 0;
  fc.assert(
    fc.property(certificates, (der) => {
      const certificate = orFault(() => readCertificate(der));
      if (!certificate) return;
      const texts = [
        orFault(() => printCertificate(certificate)),
        orFault(() => printCertificateShort(certificate)),
        orFault(() => printCertificateJson([certificate])),
      ].filter((text) => text !== undefined);
      for (const text of texts) expect(text.endsWith('\n')).toBe(true);
      printed += texts.length;
    }),
    { numRuns: 3_000 },
  );
  expect(printed).toBeGreaterThan(100);
});

test('whatever is in a request that can be read, printing it fails with nothing but a fault', () => {
  fc.assert(
    fc.property(mutations, (changes) => {
      const changed = orFault(() => readRequest(mutate(request.der, changes)));
      if (!changed) return;
      for (const print of [printRequest, printRequestShort, printRequestJson]) orFault(() => print(changed));
    }),
    { numRuns: 2_000 },
  );
});

test('a changed certificate never verifies, wherever it stands in the chain, and never fails the verifier', () => {
  const chain = [leaf, intermediate].map(({ certificate }) => certificate);
  const judge = ([bottom, ...intermediates]: readonly Certificate[]) =>
    verifyChain(bottom!, {
      roots: [root.certificate],
      intermediates,
      at: exampleNow,
      usage: 'server auth',
      dnsName: 'web.emojivoto.serviceaccount.identity.linkerd',
    });
  expect(judge(chain).valid).toBe(true);
  fc.assert(
    fc.property(fc.constantFrom(0, 1), mutations, (index, changes) => {
      const der = mutate(chain[index]!.der, changes);
      const changed = orFault(() => readCertificate(der));
      if (!changed || der.equals(chain[index]!.der)) return;
      expect(judge(chain.with(index, changed)).valid).toBe(false);
    }),
    { numRuns: 3_000 },
  );
});

test('a revocation list that somebody has changed is read or refused with a fault', async () => {
  const crl = await buildCrl(
    {
      issuer: root.certificate.subject,
      number: 7,
      thisUpdate: exampleNow,
      nextUpdate: exampleNow + 1_000,
      revoked: [
        { serial: leaf.certificate.serial, revokedAt: exampleNow, reason: 'superseded' },
        { serial: Buffer.from([5]), revokedAt: Date.UTC(2051, 0, 1) },
      ],
      authorityKeyId: root.certificate.subjectKeyId!,
    },
    signerOf(root.key),
  );
  expect(readCrl(crl)).toMatchObject({ number: 7n, nextUpdate: exampleNow + 1_000, revoked: { length: 2 } });
  fc.assert(
    fc.property(mutations, (changes) => {
      orFault(() => readCrl(mutate(crl, changes)));
    }),
    { numRuns: 2_000 },
  );
});
