import { expect, test } from 'vitest';
import { minuteMs, secondMs } from '../base/duration.ts';
import { Fault } from '../base/fault.ts';
import type { HttpResponse } from '../wire/http-client.ts';
import {
  authorizationOf,
  type Inspection,
  judgeIssuer,
  signsRequestsOnly,
  specProblem,
} from './issuer-plan.ts';
import type { Issuer, IssuerSpec, VaultAuth } from './kinds.ts';

const now = Date.UTC(2026, 0, 1, 12);
const issuer = (spec: IssuerSpec, status?: Issuer['status']): Issuer => ({
  apiVersion: 'cert-manager.io/v1',
  kind: 'ClusterIssuer',
  metadata: { name: 'vault-issuer', generation: 3 },
  spec,
  ...(status ? { status } : {}),
});
const vault = (auth: VaultAuth, fields = {}) => ({
  vault: { server: 'http://vault:8200', path: 'pki/sign/role', auth, ...fields },
});
const token = { tokenSecretRef: { name: 'token' } };

test.each<[string, IssuerSpec]>([
  ['Vault server and path are required fields', vault(token, { server: '' })],
  ['Vault server and path are required fields', vault(token, { path: '' })],
  ['Vault tokenSecretRef, appRole, clientCertificate, kubernetes, or aws is required', vault({})],
  [
    'Multiple auth methods cannot be set on the same Vault issuer',
    vault({ ...token, kubernetes: { role: 'r' } }),
  ],
  ['Vault Token auth requires tokenSecretRef.name', vault({ tokenSecretRef: { name: '' } })],
  [
    'Vault AppRole auth requires both roleId and tokenSecretRef.name',
    vault({ appRole: { roleId: '', secretRef: { name: 's', key: 'k' } } }),
  ],
  [
    'Vault AppRole auth requires secretRef.key',
    vault({ appRole: { roleId: 'r', secretRef: { name: 's' } } }),
  ],
  ['Vault Kubernetes auth requires a role to be set', vault({ kubernetes: { role: '' } })],
  [
    'Vault Kubernetes auth requires either secretRef.name or serviceAccountRef.name to be set',
    vault({ kubernetes: { role: 'r' } }),
  ],
  [
    'Vault Kubernetes auth cannot be used with both secretRef.name and serviceAccountRef.name',
    vault({ kubernetes: { role: 'r', secretRef: { name: 's' }, serviceAccountRef: { name: 'a' } } }),
  ],
])('a Vault issuer is told: %s', (message, spec) => {
  expect(specProblem(issuer(spec))).toEqual({ reason: 'VaultError', message });
});

test('a Vault issuer in order has no problem', () => {
  expect(specProblem(issuer(vault(token)))).toBeUndefined();
});

test.each([
  ['pki/root/sign-intermediate', true],
  ['pki/sign/role', true],
  ['pki/sign-verbatim/role', true],
  ['pki/issuer/next/sign/role', true],
  ['pki/issue/role', false],
  ['pki/designs/role', false],
])('%s may be asked to sign nothing: %s', (path, expected) => {
  expect(signsRequestsOnly({ server: '', path, auth: {} })).toBe(expected);
});

const answer = (status: number, said = ''): HttpResponse => ({
  status,
  headers: {},
  body: Buffer.from(said),
});

test.each([
  ['a refusal for want of a request', undefined, answer(400, '"csr" is empty'), 'True', 'SigningPermitted'],
  ['no such role', undefined, answer(400, 'unknown role: x'), 'False', 'PathNotFound'],
  ['no such path', undefined, answer(404, 'no handler for route'), 'False', 'PathNotFound'],
  ['refused', undefined, answer(403), 'False', 'SigningRefused'],
  ['refused, the token being known', { endsMs: now }, answer(403), 'False', 'SigningRefused'],
  [
    'no CA there',
    undefined,
    answer(500, 'could not fetch the CA certificate (was one set?): no default issuer currently configured'),
    'False',
    'IssuerNotFound',
  ],
  ['a fault of its own', undefined, answer(500, 'internal error'), 'Unknown', 'NotTold'],
  ['sealed meanwhile', undefined, answer(503), 'Unknown', 'NotTold'],
  ['not asked, the token being known', { endsMs: undefined }, undefined, 'True', 'TokenAccepted'],
  ['not asked', undefined, undefined, 'Unknown', 'NotTried'],
] as const)('authorization: %s', (_, tokenFacts, given, status, reason) => {
  expect(authorizationOf({ token: tokenFacts, answer: given })).toMatchObject({ status, reason });
});

test('what Vault says is told in one line, without the form that it came in', () => {
  const wrapped = '1 error occurred:\n\t* could not fetch the CA certificate (was one set?): none\n\n';
  const given = answer(500, JSON.stringify({ errors: [wrapped] }));
  expect(authorizationOf({ token: undefined, answer: given }).message).toBe(
    'Vault accepts the token but has no CA to sign with: could not fetch the CA certificate (was one set?): none',
  );
  const several = answer(
    500,
    JSON.stringify({ errors: ['2 errors occurred:\n\t* one\n\t* two\n\n', 'three'] }),
  );
  expect(authorizationOf({ token: undefined, answer: several }).message).toBe(
    'Vault answered 500: one; two; three',
  );
  expect(authorizationOf({ token: undefined, answer: answer(502, '<html>') }).message).toBe(
    'Vault answered 502: <html>',
  );
});

const healthy: Inspection = {
  found: 'healthy',
  authorization: { status: 'True', reason: 'SigningPermitted', message: 'fine' },
};
const down: Inspection = {
  found: 'unhealthy',
  error: new Fault('nothing listens', { code: 'wire.request.refused', blame: 'peer' }),
};

test('a healthy issuer is ready, for this generation, and looked at again in five minutes', () => {
  expect(judgeIssuer(issuer(vault(token)), healthy, now)).toEqual({
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'VaultVerified',
        message: 'Vault verified',
        lastTransitionTime: '2026-01-01T12:00:00Z',
        observedGeneration: 3,
      },
      {
        type: 'Authorized',
        status: 'True',
        reason: 'SigningPermitted',
        message: 'fine',
        lastTransitionTime: '2026-01-01T12:00:00Z',
        observedGeneration: 3,
      },
    ],
    againInMs: 5 * minuteMs,
  });
});

test('a token that ends before the next look is looked at when it ends', () => {
  const ending: Inspection = {
    found: 'healthy',
    authorization: {
      status: 'True',
      reason: 'SigningPermitted',
      message: '',
      tokenEndsMs: now + 3 * minuteMs,
    },
  };
  expect(judgeIssuer(issuer(vault(token)), ending, now).againInMs).toBe(3 * minuteMs);
});

test('trouble keeps its start, is told, and is looked at less and less often', () => {
  const first = judgeIssuer(issuer(vault(token)), down, now);
  expect(first).toMatchObject({
    event: { reason: 'ErrInitIssuer', message: 'Error initializing issuer: nothing listens' },
    againInMs: 5 * secondMs,
  });
  const status = { conditions: first.conditions };
  const later = judgeIssuer(issuer(vault(token), status), down, now + 2 * minuteMs);
  expect(later.conditions).toEqual(first.conditions);
  expect(later.againInMs).toBe(2 * minuteMs);
  expect(later.conditions[0]).toMatchObject({
    reason: 'VaultError',
    message: 'Failed to verify Vault is initialized and unsealed: nothing listens',
  });
});
