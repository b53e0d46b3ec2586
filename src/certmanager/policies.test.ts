import { expect, test } from 'vitest';
import { issuance } from '../../test/support/certificates.ts';
import { hourMs } from '../base/duration.ts';
import { heldSecret } from './held-secret.ts';
import type { Certificate, CertificateRequest, CertificateSpec } from './kinds.ts';
import { type PolicyInput, reasonNotReady, reasonToIssue } from './policies.ts';
import { signingRequest } from './signing-request.ts';

const issue = issuance('policies');
const start = Date.UTC(2026, 0, 1);
const web = await issue({ commonName: 'web', lifetimeMs: 48 * hourMs });
const other = await issue({ commonName: 'other' });

const spec: CertificateSpec = {
  secretName: 'web-tls',
  issuerRef: { name: 'ca', kind: 'ClusterIssuer' },
  commonName: 'web',
  privateKey: { algorithm: 'ECDSA' },
};
const recorded = {
  'cert-manager.io/certificate-name': 'web',
  'cert-manager.io/issuer-name': 'ca',
  'cert-manager.io/issuer-kind': 'ClusterIssuer',
  'cert-manager.io/issuer-group': '',
};

interface Situation {
  spec?: Partial<CertificateSpec>;
  data?: Record<string, string> | undefined;
  annotations?: Record<string, string>;
  currentRequest?: CertificateRequest;
}

function input(situation: Situation = {}): PolicyInput {
  const data = 'data' in situation ? situation.data : { 'tls.crt': web.pem, 'tls.key': web.keyPem };
  const encoded =
    data &&
    Object.fromEntries(
      Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
    );
  const certificate: Certificate = {
    apiVersion: 'cert-manager.io/v1',
    kind: 'Certificate',
    metadata: { name: 'web', namespace: 'app' },
    spec: { ...spec, ...situation.spec },
    status: { renewalTime: '2026-01-02T08:00:00Z' },
  };
  return {
    certificate,
    secret: heldSecret({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'web-tls', namespace: 'app', annotations: situation.annotations ?? recorded },
      ...(encoded ? { data: encoded } : {}),
    }),
    currentRequest: situation.currentRequest,
  };
}

async function requestOf(by: typeof web, given: CertificateSpec = spec): Promise<CertificateRequest> {
  return {
    apiVersion: 'cert-manager.io/v1',
    kind: 'CertificateRequest',
    metadata: { name: 'web-1' },
    spec: {
      request: Buffer.from(await signingRequest(given, by.key)).toString('base64'),
      issuerRef: given.issuerRef,
    },
  };
}

test('nothing is wrong with a certificate that matches, with its request or without', async () => {
  for (const one of [input(), input({ currentRequest: await requestOf(web) })]) {
    expect(reasonToIssue(one, start + hourMs)).toBeUndefined();
    expect(reasonNotReady(one, start + hourMs)).toBeUndefined();
  }
});

test.each<[string, string, () => Promise<Situation>]>([
  [
    'MissingData',
    'Issuing certificate as Secret does not contain any data',
    async () => ({ data: undefined }),
  ],
  [
    'MissingData',
    'Issuing certificate as Secret does not contain a private key',
    async () => ({ data: { 'tls.crt': web.pem } }),
  ],
  [
    'MissingData',
    'Issuing certificate as Secret does not contain a certificate',
    async () => ({ data: { 'tls.key': web.keyPem } }),
  ],
  [
    'InvalidKeyPair',
    'Issuing certificate as Secret contains a private key that does not match the certificate',
    async () => ({ data: { 'tls.crt': web.pem, 'tls.key': other.keyPem } }),
  ],
  [
    'IncorrectIssuer',
    'Issuing certificate as Secret was previously issued by "Issuer.cert-manager.io/old"',
    async () => ({ annotations: { 'cert-manager.io/issuer-name': 'old' } }),
  ],
  [
    'IncorrectIssuer',
    'Issuing certificate as Secret was previously issued by "Issuer.cert-manager.io/"',
    async () => ({ annotations: {} }),
  ],
  [
    'IncorrectCertificate',
    'Secret was issued for "api". If this message is not transient, you might have two conflicting Certificates pointing to the same secret.',
    async () => ({ annotations: { ...recorded, 'cert-manager.io/certificate-name': 'api' } }),
  ],
  [
    'SecretMismatch',
    'Existing private key is not up to date for spec: [spec.privateKey.algorithm]',
    async () => ({ spec: { privateKey: { algorithm: 'Ed25519' } } }),
  ],
  [
    'SecretMismatch',
    'Secret contains a private key that does not match the current CertificateRequest',
    async () => ({ currentRequest: await requestOf(other) }),
  ],
  [
    'RequestChanged',
    'Fields on existing CertificateRequest resource not up to date: [spec.dnsNames spec.commonName]',
    async () => ({ currentRequest: await requestOf(web), spec: { commonName: 'api', dnsNames: ['api'] } }),
  ],
  [
    'SecretMismatch',
    'Issuing certificate as Existing issued Secret is not up to date for spec: [spec.commonName spec.dnsNames]',
    async () => ({ spec: { commonName: 'api', dnsNames: ['api'] } }),
  ],
])('%s: %s', async (reason, message, situation) => {
  const one = input(await situation());
  expect(reasonToIssue(one, start + hourMs)).toEqual({ reason, message });
  expect(reasonNotReady(one, start + hourMs)).toEqual({ reason, message });
});

test('no Secret at all comes before everything', () => {
  const message = 'Issuing certificate as Secret does not exist';
  expect(reasonToIssue({ ...input(), secret: undefined }, start)).toEqual({
    reason: 'DoesNotExist',
    message,
  });
});

test('due for renewal is no want of readiness; expired is, by a millisecond', () => {
  const due = start + 32 * hourMs;
  expect(reasonToIssue(input(), due - 1)).toBeUndefined();
  expect(reasonToIssue(input(), due)).toEqual({
    reason: 'Renewing',
    message: 'Renewing certificate as renewal was scheduled at 2026-01-02 08:00:00 +0000 UTC',
  });
  expect(reasonNotReady(input(), due)).toBeUndefined();
  const end = start + 48 * hourMs;
  expect(reasonNotReady(input(), end)).toBeUndefined();
  expect(reasonNotReady(input(), end + 1)).toEqual({
    reason: 'Expired',
    message: 'Certificate expired on Sat, 03 Jan 2026 00:00:00 UTC',
  });
});

test('a request that cannot be read is told of', async () => {
  const currentRequest = await requestOf(web);
  currentRequest.spec.request = Buffer.from('nothing').toString('base64');
  expect(reasonToIssue(input({ currentRequest }), start)).toMatchObject({
    reason: 'InvalidCertificateRequest',
  });
});
