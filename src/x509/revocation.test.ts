import { expect, test } from 'vitest';
import { type Authority, exampleNow, issue } from '../../test/support/example-chain.ts';
import { dayMs } from '../base/duration.ts';
import { buildCrl, type CertificateList, type CrlTemplate, readCrl } from './crl.ts';
import { signerOf } from './signature.ts';
import { verifyChain } from './verify.ts';

const root = await issue({ name: 'root', ca: true });
const intermediate = await issue({ name: 'intermediate', ca: true, issuer: root });
const leaf = await issue({ name: 'leaf', issuer: intermediate });

async function listOf(
  signer: Authority,
  revoked: readonly Authority[] = [],
  changed: Partial<CrlTemplate> = {},
): Promise<CertificateList> {
  const template: CrlTemplate = {
    issuer: signer.certificate.subject,
    number: 1,
    thisUpdate: exampleNow,
    nextUpdate: exampleNow + dayMs,
    revoked: revoked.map(({ certificate: { serial } }) => ({
      serial,
      revokedAt: exampleNow,
      reason: 'superseded',
    })),
    authorityKeyId: signer.certificate.subjectKeyId!,
    ...changed,
  };
  return readCrl(await buildCrl(template, signerOf(signer.key)));
}

function verify(revocationLists: readonly CertificateList[]) {
  return verifyChain(leaf.certificate, {
    roots: [root.certificate],
    intermediates: [intermediate.certificate],
    at: exampleNow,
    revocationLists,
  });
}

const unknown = { valid: false, code: 'x509.verify.revocation-unknown' };

test('a path stands when a list of each issuer is there and names none of it', async () => {
  const above = await listOf(root);
  const other = await issue({ name: 'other', issuer: intermediate });
  expect(verify([above, await listOf(intermediate, [other])])).toMatchObject({ valid: true });
  expect(verify([above])).toMatchObject(unknown);
  expect(verify([await listOf(intermediate)])).toMatchObject(unknown);
});

test('what is revoked is refused, with the date and the reason', async () => {
  const good = await listOf(intermediate);
  expect(verify([await listOf(root), await listOf(intermediate, [leaf])])).toMatchObject({
    code: 'x509.verify.revoked',
    reason: 'certificate CN=leaf has been revoked at 2026-06-01T12:00:00Z (superseded)',
  });
  expect(verify([await listOf(root, [intermediate]), good])).toMatchObject({
    code: 'x509.verify.revoked',
    reason: expect.stringContaining('certificate CN=intermediate'),
  });
});

test('a list that is stale, early or of another key tells nothing', async () => {
  const above = await listOf(root);
  const stale = { thisUpdate: exampleNow - dayMs, nextUpdate: exampleNow - 1_000 };
  expect(verify([above, await listOf(intermediate, [], stale)])).toMatchObject(unknown);
  const early = { thisUpdate: exampleNow + 1_000 };
  expect(verify([above, await listOf(intermediate, [], early)])).toMatchObject(unknown);
  const impostor = await issue({ name: 'intermediate', ca: true });
  expect(verify([above, await listOf(impostor)])).toMatchObject(unknown);
});
