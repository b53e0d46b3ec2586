import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { issuance } from '../../test/support/certificates.ts';
import type { Certificate } from '../x509/certificate.ts';
import { chainOf, chainPem } from './chain.ts';

const issue = issuance('certmanager chain');
const root = await issue({ commonName: 'root' });
const newRoot = await issue({ commonName: 'new root' });
const upper = await issue({ commonName: 'upper', by: root, ca: true });
const lower = await issue({ commonName: 'lower', by: upper, ca: true });
const leaf = await issue({ commonName: 'leaf', by: lower });
const direct = await issue({ commonName: 'direct', by: root });
const crossed = await issue({ commonName: 'root', by: newRoot, ca: true, key: root.key });
const stranger = await issue({ commonName: 'stranger' });

const names = ({ certificates, ca }: ReturnType<typeof chainOf>) => ({
  chain: certificates.map(({ subject }) => subject.rdns.flat()[0]!.value),
  ca: ca?.subject.rdns.flat()[0]!.value,
});
const of = (...credentials: { certificate: Certificate }[]) =>
  credentials.map(({ certificate }) => certificate);

test.each([
  ['signed by the root', direct, of(root), ['direct'], 'root'],
  ['signed by the root, itself sent along', direct, of(direct, root, root), ['direct'], 'root'],
  ['intermediates, the root known', leaf, of(lower, upper, root), ['leaf', 'lower', 'upper'], 'root'],
  ['intermediates, the root unknown', leaf, of(lower, upper), ['leaf', 'lower', 'upper'], 'upper'],
  ['alone', leaf, [], ['leaf'], undefined],
  ['self-signed', root, [], ['root'], 'root'],
  [
    'a cross-signed root next to the old one: the first named wins',
    direct,
    of(root, crossed, newRoot),
    ['direct'],
    'root',
  ],
  ['the cross-signed one first', direct, of(crossed, root, newRoot), ['direct', 'root'], 'new root'],
  ['a path that stops loses to one with a root', direct, of(crossed, root), ['direct'], 'root'],
])('%s', (_, { certificate }, others, chain, ca) => {
  expect(names(chainOf(certificate, others))).toEqual({ chain, ca });
});

test('a certificate that has nothing to do with the leaf is refused', () => {
  for (const others of [of(stranger), of(root), of(lower, root), of(lower, upper, root, stranger)]) {
    expect(() => chainOf(leaf.certificate, others)).toThrow('certificate chain is malformed or broken');
  }
});

test('the order of what was sent along does not matter', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray(of(lower, upper, root, leaf), { minLength: 4 }), (others) => {
      expect(names(chainOf(leaf.certificate, others))).toEqual({
        chain: ['leaf', 'lower', 'upper'],
        ca: 'root',
      });
    }),
  );
});

test('PEM ends each certificate with its line', () => {
  const { certificate, ca } = chainPem(chainOf(leaf.certificate, of(lower, upper, root)));
  expect(certificate).toBe(leaf.pem + lower.pem + upper.pem);
  expect(ca).toBe(root.pem);
});
