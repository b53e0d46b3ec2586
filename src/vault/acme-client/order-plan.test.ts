import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Fault } from '../../base/fault.ts';
import {
  type AuthorizationView,
  nextOrderStep,
  type OrderStep,
  type OrderView,
  readAuthorization,
  readOrder,
} from './order-plan.ts';

const order = (status: string, more: Partial<OrderView> = {}): OrderView => ({
  ...{ status, authorizations: [], finalize: 'finalize', certificate: undefined, error: undefined },
  ...more,
});
const authorization = (
  name: string,
  { status = 'pending', error, tried = 'pending' }: { status?: string; error?: unknown; tried?: string } = {},
): AuthorizationView => ({
  identifier: { type: 'dns', value: name },
  status,
  challenges: ['http-01', 'tls-alpn-01'].map((type) => ({
    ...{
      type,
      status: type === 'tls-alpn-01' ? tried : 'pending',
      url: `${name}/${type}`,
      token: `${name}-token`,
    },
    error: type === 'tls-alpn-01' ? error : undefined,
  })),
});
const step = (view: OrderView, authorizations: AuthorizationView[] = [], started: string[] = []): OrderStep =>
  nextOrderStep({ order: view, authorizations, started: new Set(started), challengeType: 'tls-alpn-01' });

test('each name is proven once, by the kind of challenge that is wanted', () => {
  const [a, b] = [authorization('a'), authorization('b')];
  expect(step(order('pending'), [a, b])).toMatchObject({ act: 'prove', challenge: { url: 'a/tls-alpn-01' } });
  expect(step(order('pending'), [a, b], ['a/tls-alpn-01'])).toMatchObject({
    ...{ act: 'prove', identifier: { value: 'b' }, challenge: { token: 'b-token' } },
  });
  expect(step(order('pending'), [a, b], ['a/tls-alpn-01', 'b/tls-alpn-01'])).toEqual({ act: 'wait' });
  // What a CA still knows from before is not proven again.
  expect(step(order('pending'), [authorization('a', { status: 'valid' })])).toEqual({ act: 'wait' });
  expect(step(order('pending'), [authorization('a', { tried: 'processing' })])).toEqual({ act: 'wait' });
});

test('then it is finalized, waited for and fetched', () => {
  expect(step(order('ready'))).toEqual({ act: 'finalize' });
  expect(step(order('processing'))).toEqual({ act: 'wait' });
  expect(step(order('valid', { certificate: 'here' }))).toEqual({ act: 'download', url: 'here' });
  expect(() => step(order('valid'))).toThrow('the order is valid and has no certificate');
});

test('what failed is told by what failed', () => {
  const problem = { type: 'urn:ietf:params:acme:error:connection', detail: 'refused' };
  expect(step(order('invalid'), [authorization('a', { status: 'invalid', error: problem })])).toEqual({
    ...{ act: 'give up', why: 'a could not be proven by tls-alpn-01', problem, of: 'challenge' },
  });
  expect(step(order('pending'), [authorization('a', { status: 'expired' })])).toMatchObject({
    why: 'a could not be proven: it is expired',
  });
  expect(step(order('invalid', { error: problem }))).toEqual({
    ...{ act: 'give up', why: 'the order is invalid', problem, of: 'order' },
  });
  const other = { ...authorization('a'), challenges: authorization('a').challenges.slice(0, 1) };
  expect(step(order('pending'), [other])).toMatchObject({
    why: 'the ACME server does not take tls-alpn-01 for a, but http-01',
  });
});

test('whatever a CA shows, it is read or refused, and what was read has a next step', () => {
  const text = fc.oneof(fc.constantFrom('pending', 'ready', 'valid', 'invalid', 'dns', 'ip'), fc.string());
  const value = fc.oneof(text, fc.array(text), fc.jsonValue());
  const orders = fc.record(
    { status: value, finalize: value, authorizations: value, certificate: value, error: value },
    { requiredKeys: [] },
  );
  const challenge = fc.record({ type: value, status: value, url: value, token: value, error: value });
  const authorizations = fc.record(
    {
      identifier: fc.oneof(fc.record({ type: text, value: text }), value),
      status: value,
      challenges: fc.oneof(fc.array(challenge), value),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(orders, fc.array(authorizations), (shown, proofs) => {
      try {
        const next = step(readOrder(shown), proofs.map(readAuthorization));
        expect(['prove', 'finalize', 'download', 'wait', 'give up']).toContain(next.act);
      } catch (error) {
        expect(error).toBeInstanceOf(Fault);
      }
    }),
  );
});
