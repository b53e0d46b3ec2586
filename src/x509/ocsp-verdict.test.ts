import { expect, test } from 'vitest';
import { exampleNow, issue } from '../../test/support/example-chain.ts';
import { extendedKeyUsage } from './extension.ts';
import { keyIdentifier } from './key.ts';
import { buildOcspRequest, readOcspRequest } from './ocsp-request.ts';
import { buildOcspResponse, type CertificateStatus, ocspError, readOcspResponse } from './ocsp-response.ts';
import { judgeOcsp } from './ocsp-verdict.ts';
import { oids } from './oid.ts';
import { signerOf } from './signature.ts';

const root = await issue({ name: 'root', ca: true });
const stranger = await issue({ name: 'root', ca: true });
const leaf = await issue({ name: 'leaf', issuer: root });
const other = await issue({ name: 'other', issuer: root });

const at = exampleNow;

interface Told {
  is?: CertificateStatus;
  about?: typeof leaf;
  by?: typeof root;
  from?: number;
  until?: number;
  nonce?: Buffer;
}

async function verdict(told: Told = {}, nonce?: Buffer): Promise<unknown> {
  const { is = { status: 'good' }, about = leaf, by = root, from = at, until = at + 1_000 } = told;
  const asked = readOcspRequest(buildOcspRequest(about.certificate, root.certificate));
  const der = await buildOcspResponse(
    {
      producedAt: from,
      responses: [{ certificate: asked.certificates[0]!, is, thisUpdate: from, nextUpdate: until }],
      responderKeyId: keyIdentifier(by.certificate.publicKey),
      ...(told.nonce ? { nonce: told.nonce } : {}),
    },
    signerOf(by.key),
  );
  const judged = judgeOcsp(readOcspResponse(der), leaf.certificate, {
    issuer: root.certificate,
    at,
    ...(nonce ? { nonce } : {}),
  });
  return judged.reliable ? judged.is.status : judged.reason;
}

test.each(['good', 'unknown'] as const)('the issuer says %s', async (status) => {
  expect(await verdict({ is: { status } })).toBe(status);
});

test('the issuer says revoked', async () => {
  expect(await verdict({ is: { status: 'revoked', revokedAt: at } })).toBe('revoked');
});

test.each<[string, Told, string]>([
  ['about another certificate', { about: other }, 'the response is about another certificate'],
  ['signed by a namesake', { by: stranger }, 'the response is signed by nobody who may'],
  ['from the future', { from: at + 3_600_000, until: at + 7_200_000 }, 'the response is from the future'],
  ['overtaken', { from: at - 7_200_000, until: at - 3_600_000 }, 'the response is out of date'],
])('a response %s says nothing', async (_name, told, reason) => {
  expect(await verdict(told)).toBe(reason);
});

test('a nonce has to come back', async () => {
  const nonce = Buffer.from('mine');
  expect(await verdict({ nonce }, nonce)).toBe('good');
  expect(await verdict({ nonce: Buffer.from('else') }, nonce)).toBe('the response is to another request');
  expect(await verdict({}, nonce)).toBe('the response is to another request');
});

test('an error says nothing but itself', () => {
  const judged = judgeOcsp(readOcspResponse(ocspError('try later')), leaf.certificate, {
    issuer: root.certificate,
    at,
  });
  expect(judged).toEqual({ reliable: false, reason: 'the responder answers try later' });
});

test('who the issuer named may answer for it, and nobody else', async () => {
  const named = await issue({
    name: 'responder',
    issuer: root,
    override: { extensions: [extendedKeyUsage([oids.ocspSigning])] },
  });
  const unnamed = await issue({ name: 'responder', issuer: root });
  const foreign = await issue({
    name: 'responder',
    issuer: stranger,
    override: { extensions: [extendedKeyUsage([oids.ocspSigning])] },
  });
  for (const [by, expected] of [
    [named, 'good'],
    [unnamed, 'the response is signed by nobody who may'],
    [foreign, 'the response is signed by nobody who may'],
  ] as const) {
    const response = readOcspResponse(await signedBy(by));
    const sent = { ...response, basic: { ...response.basic!, certificates: [by.certificate.der] } };
    const judged = judgeOcsp(sent, leaf.certificate, { issuer: root.certificate, at });
    expect(judged.reliable ? judged.is.status : judged.reason).toBe(expected);
  }
});

function signedBy(by: typeof leaf): Promise<Buffer> {
  const asked = readOcspRequest(buildOcspRequest(leaf.certificate, root.certificate));
  return buildOcspResponse(
    {
      producedAt: at,
      responses: [{ certificate: asked.certificates[0]!, is: { status: 'good' }, thisUpdate: at }],
      responderKeyId: keyIdentifier(by.certificate.publicKey),
    },
    signerOf(by.key),
  );
}
