import { expect, test } from 'vitest';
import { Fault } from '../../base/fault.ts';
import { wrapError, wrapReply } from './envelope.ts';

const said = (error: unknown) => {
  const { status, body } = wrapError(error);
  return [status, JSON.parse(body.toString())];
};
const fault = (code: string, blame: 'caller' | 'operator' | 'capstan') =>
  new Fault('what went wrong', { code, blame, fix: 'mend it' });

test('a caller’s mistake is told, with its mend where the words are not Vault’s', () => {
  expect(said(fault('vault.request.invalid', 'caller'))).toEqual([400, { errors: ['what went wrong'] }]);
  expect(said(fault('authority.name', 'caller'))).toEqual([400, { errors: ['what went wrong; mend it'] }]);
});

test('what the operator has to mend, and bugs, are not told to clients', () => {
  const unavailable = 'the storage backend is unavailable or busy; try again';
  expect(said(fault('store.unavailable', 'operator'))).toEqual([503, { errors: [unavailable] }]);
  expect(said(fault('store.encryption.sealed', 'operator'))).toEqual([500, { errors: ['internal error'] }]);
  expect(said(new Error('secret detail'))).toEqual([500, { errors: ['internal error'] }]);
});

test('a raw answer without bytes is 204', () => {
  const reply = (body: string) => ({
    answer: { raw: { contentType: 'application/pkix-cert', body: Buffer.from(body) } },
    dataAtTop: false,
    mountType: 'pki',
  });
  expect(wrapReply('id', 'read', reply('')).status).toBe(204);
  expect(wrapReply('id', 'read', reply('x'))).toEqual({
    status: 200,
    contentType: 'application/pkix-cert',
    body: Buffer.from('x'),
  });
});
