import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { issuance } from '../../test/support/certificates.ts';
import { dayMs } from '../base/duration.ts';
import { decodePem } from '../x509/pem.ts';
import { trustPool } from './trust-pool.ts';

const issue = issuance('trust-pool');
const roots = await Promise.all(['a', 'b', 'c', 'd'].map((commonName) => issue({ commonName })));
const leaf = await issue({ commonName: 'leaf', by: roots[0]! });

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

test('whatever comes in, in any order, with repeats and comments: the same bytes go out, sorted by hash', () => {
  const ordered = roots.toSorted((x, y) => (sha256(x.certificate.der) < sha256(y.certificate.der) ? -1 : 1));
  const expected = ordered.map(({ pem }) => pem.trim()).join('\n');
  fc.assert(
    fc.property(
      fc.shuffledSubarray(roots, { minLength: roots.length }),
      fc.array(fc.constantFrom(...roots), { maxLength: 3 }),
      fc.stringMatching(/^[ a-z#\n]{0,20}$/),
      (order, repeats, comment) => {
        const pool = trustPool();
        for (const { pem } of order) pool.add(`${comment}\n${pem}\n`);
        pool.add(repeats.map(({ pem }) => pem).join(comment && `\n${comment}\n`));
        expect(pool.pem()).toBe(expected);
        expect(pool.size).toBe(roots.length);
      },
    ),
  );
});

test('the bundle ends without a newline and its blocks are parsed back', () => {
  const pool = trustPool();
  for (const { pem } of roots) pool.add(pem);
  expect(pool.pem()).toMatch(/-----END CERTIFICATE-----$/);
  expect(decodePem(pool.pem())).toHaveLength(4);
});

test.each([
  ['a private key beside a certificate', `${roots[0]!.pem}${roots[0]!.keyPem}`, /found 'PRIVATE KEY'/],
  [
    'a block that is no certificate',
    '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    /invalid PEM certificate/,
  ],
  [
    'a block with headers',
    roots[0]!.pem.replace('CERTIFICATE-----\n', 'CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n\n'),
    /invalid PEM block/,
  ],
  ['a block that is cut', roots[0]!.pem.slice(0, 200), /invalid PEM block/],
])('%s fails the whole text', (_, pem, message) => {
  const pool = trustPool();
  expect(() => pool.add(pem)).toThrow(message);
  expect(pool.size).toBe(0);
});

test('expired and non-CA certificates are left out where that is asked for', async () => {
  const nowMs = Date.UTC(2026, 5, 1);
  const fresh = await issue({ commonName: 'fresh', notBefore: nowMs, lifetimeMs: dayMs });
  const pool = trustPool({ unexpiredAtMs: nowMs, authoritiesOnly: true });
  pool.add(roots[0]!.pem + leaf.pem + fresh.pem);
  expect(pool.certificates().map(({ der }) => der)).toEqual([fresh.certificate.der]);
});
