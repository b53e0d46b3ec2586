import { expect, test } from 'vitest';
import { type CertifyFacts, decideCertify, readTokenUser } from './certify.ts';

const identity = 'web.emojivoto.serviceaccount.identity.linkerd.cluster.local';
const goodRequest = {
  commonNames: [identity],
  subjectAltNames: [{ type: 'dns', value: identity }],
  provesPossession: true,
  key: { type: 'ec', curve: 'P-256' },
};
const good: CertifyFacts = {
  domain: { controlNamespace: 'linkerd', trustDomain: 'cluster.local' },
  issuer: { problem: undefined },
  identity,
  tokenBytes: 900,
  signingRequest: goodRequest,
  token: { verdict: 'authenticated', username: 'system:serviceaccount:emojivoto:web' },
};
const requesting = (part: Partial<typeof goodRequest>): Partial<CertifyFacts> => ({
  signingRequest: { ...goodRequest, ...part },
});
const named = (...others: { type: string; value: string }[]) =>
  requesting({ subjectAltNames: [...goodRequest.subjectAltNames, ...others] });

test('a request in order is reviewed, then issued', () => {
  expect(decideCertify({ ...good, token: undefined })).toEqual({ act: 'review' });
  expect(decideCertify(good)).toEqual({ act: 'issue' });
  expect(decideCertify({ ...good, ...requesting({ commonNames: [] }) })).toEqual({ act: 'issue' });
  expect(decideCertify({ ...good, ...requesting({ commonNames: [''] }) })).toEqual({ act: 'issue' });
});

/** In the order of the checks: what comes first decides when several things are wrong. */
const refusals: [what: string, facts: Partial<CertifyFacts>, code: string, message: string][] = [
  ['no issuer', { issuer: undefined }, 'unavailable', 'cert issuer not ready yet'],
  ['no identity', { identity: '' }, 'invalid-argument', 'missing identity'],
  ['no token', { tokenBytes: 0 }, 'invalid-argument', 'missing token'],
  ['no request', { signingRequest: undefined }, 'invalid-argument', 'missing certificate signing request'],
  ['a broken request', { signingRequest: { unreadable: 'cut short' } }, 'invalid-argument', 'cut short'],
  ['an ended issuer', { issuer: { problem: 'CN=x has expired' } }, 'unknown', 'CN=x has expired'],
  ['no DNS name', requesting({ subjectAltNames: [] }), 'failed-precondition', 'exactly one DNSName'],
  ['two DNS names', named({ type: 'dns', value: 'b' }), 'failed-precondition', 'exactly one DNSName'],
  [
    'another DNS name',
    requesting({ subjectAltNames: [{ type: 'dns', value: 'b' }] }),
    'failed-precondition',
    `csr=b; req=${identity}`,
  ],
  [
    'another CN',
    requesting({ commonNames: [identity, 'b'] }),
    'failed-precondition',
    'invalid CommonName: b',
  ],
  [
    'an email',
    named({ type: 'email', value: 'a@b' }),
    'failed-precondition',
    'cannot validate email addresses',
  ],
  ['an IP', named({ type: 'ip', value: '1.2.3.4' }), 'failed-precondition', 'cannot validate IP addresses'],
  ['a URI', named({ type: 'uri', value: 'spiffe://x' }), 'failed-precondition', 'cannot validate URIs'],
  ['an other name', named({ type: 'other', value: '' }), 'failed-precondition', 'names other than DNS'],
  ['no possession', requesting({ provesPossession: false }), 'failed-precondition', 'its own key'],
  ['a bad token', { token: { verdict: 'invalid', message: 'expired' } }, 'invalid-argument', 'expired'],
  [
    'an unknown token',
    { token: { verdict: 'unauthenticated' } },
    'failed-precondition',
    'could not be authenticated',
  ],
  [
    'no API',
    { token: { verdict: 'failed', message: 'down' } },
    'internal',
    `validating token for ${identity}: down`,
  ],
  [
    'a user that is no workload',
    { token: { verdict: 'authenticated', username: 'kubernetes-admin' } },
    'invalid-argument',
    'system:TYPE:NS:SA: kubernetes-admin',
  ],
  [
    'a dotted account',
    { token: { verdict: 'authenticated', username: 'system:serviceaccount:emojivoto:web.v2' } },
    'invalid-argument',
    'Not a label: web.v2',
  ],
  [
    "another's token",
    { token: { verdict: 'authenticated', username: 'system:serviceaccount:emojivoto:voting' } },
    'failed-precondition',
    'found=voting.emojivoto.serviceaccount.identity.linkerd.cluster.local',
  ],
  ['an RSA key', requesting({ key: { type: 'rsa', curve: '' } }), 'internal', 'ECDSA public key'],
  ['a P-384 key', requesting({ key: { type: 'ec', curve: 'P-384' } }), 'failed-precondition', 'P-384'],
];

test.each(refusals)('%s is refused', (_, facts, code, message) => {
  const decision = decideCertify({ ...good, ...facts });
  expect(decision).toMatchObject({ act: 'refuse', code });
  expect(decision).toHaveProperty('message', expect.stringContaining(message));
});

test('the first thing wrong decides, in the order of the checks', () => {
  // Parts of the same fact cannot be wrong in two ways at once here; the rest are laid over each other.
  const order = ['no issuer', 'no identity', 'no request', 'an ended issuer', 'no DNS name', 'a bad token'];
  const layers = order.map((what) => refusals.find(([name]) => name === what)!);
  for (const [index, [, , code, message]] of layers.entries()) {
    const facts = layers.slice(index).reduceRight((sum, [, part]) => ({ ...sum, ...part }), good);
    const decision = decideCertify(facts);
    expect(decision).toMatchObject({ act: 'refuse', code });
    expect(decision).toHaveProperty('message', expect.stringContaining(message));
  }
});

test('only an issuer at fault is marked so', () => {
  expect(decideCertify({ ...good, issuer: { problem: 'x' } })).toHaveProperty('issuerInvalid', true);
  expect(decideCertify({ ...good, tokenBytes: 0 })).not.toHaveProperty('issuerInvalid');
});

test('usernames are taken apart as Kubernetes writes them', () => {
  expect(readTokenUser('system:serviceaccount:ns:sa')).toEqual({
    type: 'serviceaccount',
    namespace: 'ns',
    name: 'sa',
  });
  for (const wrong of [
    'system:serviceaccount:ns',
    'user:serviceaccount:ns:sa',
    'system:serviceaccount:ns:sa:x',
  ]) {
    expect(readTokenUser(wrong)).toHaveProperty('problem');
  }
  for (const wrong of [
    'system:serviceaccount:NS:sa',
    'system:serviceaccount:-ns:sa',
    `system:x:ns:${'a'.repeat(64)}`,
  ]) {
    expect(readTokenUser(wrong)).toHaveProperty('problem', expect.stringContaining('Not a label'));
  }
});
