import { expect, test } from 'vitest';
import { minuteMs } from '../base/duration.ts';
import { Fault } from '../base/fault.ts';
import type { Condition } from '../kube/resource.ts';
import type { CertificateRequest, Issuer } from './kinds.ts';
import { afterSigning, decideRequest, type RequestFacts } from './request-plan.ts';
import { vaultFault } from './vault-fault.ts';

const now = Date.UTC(2026, 0, 1);
const condition = (type: string, status: Condition['status'], reason: string): Condition => ({
  type,
  status,
  reason,
  message: '',
  lastTransitionTime: '2026-01-01T00:00:00Z',
});
const approved = condition('Approved', 'True', 'cert-manager.io');
const request = (
  conditions: Condition[] = [],
  fields: Partial<CertificateRequest['spec']> = {},
): CertificateRequest => ({
  apiVersion: 'cert-manager.io/v1',
  kind: 'CertificateRequest',
  metadata: { name: 'web-1', namespace: 'app' },
  spec: { request: '', issuerRef: { name: 'ca' }, ...fields },
  status: { conditions },
});
const issuer = (
  ready: Condition['status'] | undefined,
  spec: Issuer['spec'] = { vault: {} as never },
): Issuer => ({
  apiVersion: 'cert-manager.io/v1',
  kind: 'Issuer',
  metadata: { name: 'ca', namespace: 'app' },
  spec,
  ...(ready ? { status: { conditions: [condition('Ready', ready, 'x')] } } : {}),
});
const facts = (given: Partial<RequestFacts>): RequestFacts => ({
  request: request([approved]),
  issuer: issuer('True'),
  approves: true,
  ...given,
});

test.each<[string, Partial<RequestFacts>]>([
  ['of another group', { request: request([approved], { issuerRef: { name: 'ca', group: 'example.com' } }) }],
  [
    'being deleted',
    { request: { ...request([approved]), metadata: { name: 'web-1', deletionTimestamp: 'x' } } },
  ],
  ['invalid', { request: request([approved, condition('InvalidRequest', 'True', 'x')]) }],
  ['failed', { request: request([approved, condition('Ready', 'False', 'Failed')]) }],
  ['issued', { request: request([approved, condition('Ready', 'True', 'Issued')]) }],
  [
    'denied and told so',
    { request: request([condition('Denied', 'True', 'x'), condition('Ready', 'False', 'Denied')]) },
  ],
  ['waiting for an approver that is not us', { request: request(), approves: false }],
])('nothing to do: %s', (_, given) => {
  expect(decideRequest(facts(given), now)).toEqual({ do: 'nothing' });
});

test('approved and ready to be signed', () => {
  expect(decideRequest(facts({}), now)).toMatchObject({ do: 'sign' });
});

test.each<[string, Partial<RequestFacts>, object]>([
  [
    'approval',
    { request: request() },
    {
      type: 'Approved',
      status: 'True',
      reason: 'cert-manager.io',
      message: 'Certificate request has been approved by cert-manager.io',
    },
  ],
  [
    'denial, before anything else',
    { request: request([approved, condition('Denied', 'True', 'Policy')]) },
    {
      type: 'Ready',
      status: 'False',
      reason: 'Denied',
      message: 'The CertificateRequest was denied by an approval controller',
    },
  ],
  [
    'no issuer',
    { issuer: undefined },
    {
      type: 'Ready',
      reason: 'Pending',
      message: 'Referenced "Issuer" not found: issuer.cert-manager.io "ca" not found',
    },
  ],
  [
    'an issuer of no type',
    { issuer: issuer('True', {}) },
    {
      type: 'Ready',
      reason: 'Pending',
      message: "Missing issuer type: no issuer specified for Issuer 'app/ca'",
    },
  ],
  [
    'an issuer not judged yet',
    { issuer: issuer(undefined) },
    { type: 'Ready', reason: 'Pending', message: 'Referenced issuer does not have a Ready status condition' },
  ],
])('written: %s', (_, given, expected) => {
  const step = decideRequest(facts(given), now);
  expect(step).toMatchObject({ do: 'write status' });
  const { status } = step as typeof step & { do: 'write status' };
  expect(status.conditions).toContainEqual(expect.objectContaining(expected));
  // What was written is not written again.
  const { message, type } = expected as Condition;
  const next = decideRequest(
    facts({ ...given, request: { ...facts(given).request, status } }),
    now + minuteMs,
  );
  if (type === 'Ready') expect(next, message).toEqual({ do: 'nothing' });
});

const answered = (status: number) =>
  vaultFault('POST', 'http://vault/v1/pki', { status, headers: {}, body: Buffer.from('{"errors":["no"]}') });
const unreached = new Fault('nothing listens', { code: 'wire.request.refused', blame: 'peer' });

test.each([
  ['400', answered(400), 'Failed'],
  ['403', answered(403), 'Failed'],
  ['404', answered(404), 'Failed'],
  ['429', answered(429), 'Pending'],
  ['500', answered(500), 'Pending'],
  ['503, sealed', answered(503), 'Pending'],
  ['no connection', unreached, 'Pending'],
])('a signature that ends in %s leaves the request %#', (_, error, reason) => {
  const { status, events, againInMs } = afterSigning(
    request([approved]),
    { ended: 'not signed', error },
    now,
  );
  expect(status.conditions!.at(-1)).toMatchObject({ type: 'Ready', status: 'False', reason });
  expect(events).toMatchObject([{ type: 'Warning', reason: 'SigningError' }]);
  expect(againInMs).toBe(reason === 'Pending' ? 5_000 : undefined);
  expect(status.failureTime).toBe(reason === 'Failed' ? '2026-01-01T00:00:00Z' : undefined);
});

test('the next attempt is in the message, and the same trouble is told of once', () => {
  const first = afterSigning(request([approved]), { ended: 'not signed', error: unreached }, now);
  expect(first.status.conditions!.at(-1)!.message).toBe(
    'Vault failed to sign certificate: failed to sign certificate by vault: nothing listens; next attempt at 2026-01-01T00:00:05Z',
  );
  const again = { ...request(), status: first.status };
  const second = afterSigning(again, { ended: 'not signed', error: unreached }, now + minuteMs);
  expect(second.events).toEqual([]);
  expect(second.againInMs).toBe(minuteMs);
});

test.each([
  ['certmanager.secret.missing', 'SecretMissing', 'Required secret resource not found: gone'],
  ['certmanager.vault.refused', 'VaultInitError', 'Failed to initialise vault client for signing: gone'],
])('before Vault is asked, %s stays pending as %s', (code, reason, message) => {
  const error = new Fault('gone', { code, blame: 'operator' });
  const { status, events } = afterSigning(request([approved]), { ended: 'no client', error }, now);
  expect(events).toEqual([{ type: 'Warning', reason, message, by: 'issuer-vault' }]);
  expect(status.conditions!.at(-1)).toMatchObject({ reason: 'Pending' });
});
