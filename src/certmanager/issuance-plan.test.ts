import { expect, test } from 'vitest';
import { seededEntropy } from '../base/entropy.ts';
import type { Condition, Secret } from '../kube/resource.ts';
import { generateKey, type PrivateKey, writePrivateKey } from '../x509/key.ts';
import type { CertificateFacts } from './certificate-facts.ts';
import { backoffUntilMs, decideCertificate } from './certificate-plan.ts';
import type { CertificateStep } from './certificate-step.ts';
import { heldSecret } from './held-secret.ts';
import { decideIssuance } from './issuance-plan.ts';
import type { Certificate, CertificateRequest, CertificateSpec } from './kinds.ts';
import { signingRequest } from './signing-request.ts';

const now = Date.UTC(2026, 0, 1, 12);
const entropy = seededEntropy('issuance plan');
const key = generateKey({ type: 'ec', curve: 'P-256' }, entropy);
const other = generateKey({ type: 'ec', curve: 'P-384' }, entropy);
const began = '2026-01-01T11:00:00Z';

const spec: CertificateSpec = {
  secretName: 'web-tls',
  issuerRef: { name: 'ca' },
  commonName: 'web',
  privateKey: { algorithm: 'ECDSA' },
};
const issuing: Condition = {
  type: 'Issuing',
  status: 'True',
  reason: 'Renewing',
  message: '',
  lastTransitionTime: began,
};

function certificate(change: Partial<CertificateSpec> = {}, status: Certificate['status'] = {}): Certificate {
  return {
    apiVersion: 'cert-manager.io/v1',
    kind: 'Certificate',
    metadata: { name: 'web', namespace: 'app', uid: 'u', generation: 1 },
    spec: { ...spec, ...change },
    status: { conditions: [issuing], nextPrivateKeySecretName: 'web-next', revision: 4, ...status },
  };
}

const keySecret = (name: string, held: PrivateKey | string): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'app' },
  data: {
    'tls.key': Buffer.from(typeof held === 'string' ? held : writePrivateKey(held, 'pkcs8')).toString(
      'base64',
    ),
  },
});

async function request(name: string, revision: string | undefined, ready?: Condition, failureTime?: string) {
  return {
    apiVersion: 'cert-manager.io/v1',
    kind: 'CertificateRequest',
    metadata: {
      name,
      namespace: 'app',
      ...(revision === undefined
        ? {}
        : { annotations: { 'cert-manager.io/certificate-revision': revision } }),
    },
    spec: {
      request: Buffer.from(await signingRequest(spec, key)).toString('base64'),
      issuerRef: { name: 'ca' },
    },
    status: { ...(ready ? { conditions: [ready] } : {}), ...(failureTime ? { failureTime } : {}) },
  } satisfies CertificateRequest;
}

const failed: Condition = { type: 'Ready', status: 'False', reason: 'Failed', message: 'no' };

function facts(given: Partial<CertificateFacts> = {}): CertificateFacts {
  return {
    certificate: certificate(),
    secret: undefined,
    requests: [],
    nextKeys: [keySecret('web-next', key)],
    rivals: [],
    issuerAuthorizedSinceMs: undefined,
    ...given,
  };
}

test.each<[string, () => Promise<Partial<CertificateFacts>>, Partial<CertificateStep>]>([
  ['the key first', async () => ({ nextKeys: [] }), { do: 'store key', name: 'web-next', spec: key.spec }],
  [
    'keys under other names go',
    async () => ({ nextKeys: [keySecret('web-next', key), keySecret('web-stray', key)] }),
    { do: 'delete keys', names: ['web-stray'] },
  ],
  [
    'a key that cannot be read goes',
    async () => ({ nextKeys: [keySecret('web-next', 'x')] }),
    { do: 'delete keys' },
  ],
  [
    'a key of another size goes, and that is told',
    async () => ({ nextKeys: [keySecret('web-next', other)] }),
    {
      do: 'delete keys',
      events: [
        {
          type: 'Normal',
          reason: 'Deleted',
          message: 'Regenerating private key due to change in fields: [spec.privateKey.size]',
          by: 'key-manager',
        },
      ],
    },
  ],
  [
    'then the request',
    async () => ({}),
    { do: 'create request', name: 'web-5', revision: 5, keySecretName: 'web-next' },
  ],
  [
    'requests without a revision go',
    async () => ({ requests: [await request('odd', undefined), await request('web-5', '5')] }),
    { do: 'delete requests', names: ['odd'] },
  ],
  [
    'of two for one revision the one of the right name stays',
    async () => ({ requests: [await request('web-x', '5'), await request('web-5', '5')] }),
    { do: 'delete requests', names: ['web-x'] },
  ],
  [
    'a request that failed before this attempt goes',
    async () => ({ requests: [await request('web-5', '5', failed, '2026-01-01T10:59:59Z')] }),
    { do: 'delete requests', names: ['web-5'] },
  ],
  [
    'a request that failed in this attempt fails it',
    async () => ({ requests: [await request('web-5', '5', failed, '2026-01-01T11:00:01Z')] }),
    { do: 'write status' },
  ],
])('an issuance: %s', async (_, given, expected) => {
  expect(decideIssuance(facts(await given()), now)).toMatchObject(expected);
});

test('a key that must not rotate and does not fit waits for the user, and says so once', () => {
  const stuck = certificate({ privateKey: { algorithm: 'ECDSA', rotationPolicy: 'Never' } });
  const given = facts({ certificate: stuck, nextKeys: [], secret: heldSecret(keySecret('web-tls', other)) });
  const step = decideIssuance(given, now) as CertificateStep & { do: 'write status' };
  expect(step.events).toMatchObject([{ type: 'Warning', reason: 'CannotRegenerateKey' }]);
  expect(decideIssuance({ ...given, certificate: step.certificate }, now)).toBeUndefined();
});

test('an issuance that waits for its issuer is not touched', async () => {
  expect(decideIssuance(facts({ requests: [await request('web-5', '5')] }), now)).toBeUndefined();
});

const atRest = { conditions: [], lastFailureTime: '2026-01-01T11:30:00Z', failedIssuanceAttempts: 1 };

test.each<[string, () => Promise<Partial<CertificateFacts>>, boolean]>([
  ['an hour after a failure', async () => ({}), true],
  ['the failed request still fits', async () => ({ requests: [await request('web-5', '5')] }), true],
  [
    'the spec is another now',
    async () => ({
      certificate: certificate({ dnsNames: ['new'] }, atRest),
      requests: [await request('web-5', '5')],
    }),
    false,
  ],
  [
    'the token was accepted before it',
    async () => ({ issuerAuthorizedSinceMs: Date.parse('2026-01-01T11:00:00Z') }),
    true,
  ],
  [
    'the token is accepted since',
    async () => ({ issuerAuthorizedSinceMs: Date.parse('2026-01-01T11:45:00Z') }),
    false,
  ],
])('backing off: %s', async (_, given, waits) => {
  const all = facts({ certificate: certificate({}, atRest), nextKeys: [], ...(await given()) });
  expect(backoffUntilMs(all, now)).toBe(waits ? Date.parse('2026-01-01T12:30:00Z') : undefined);
});

test('while backing off, the next look is when it ends', () => {
  const all = facts({ certificate: certificate({}, atRest), nextKeys: [] });
  const first = decideCertificate(all, now).step as CertificateStep & { do: 'write status' };
  expect(first.certificate.status?.conditions).toMatchObject([{ type: 'Ready', reason: 'DoesNotExist' }]);
  expect(decideCertificate({ ...all, certificate: first.certificate }, now)).toEqual({
    step: undefined,
    lookAgainAtMs: Date.parse('2026-01-01T12:30:00Z'),
  });
});

test('a Certificate that is being deleted is let be', () => {
  const gone = certificate();
  gone.metadata.deletionTimestamp = began;
  expect(decideCertificate(facts({ certificate: gone }), now)).toEqual({
    step: undefined,
    lookAgainAtMs: undefined,
  });
});
