import { expect, test } from 'vitest';
import { exampleNow, issue } from '../../test/support/example-chain.ts';
import { extendedKeyUsage, keyUsage } from './extension.ts';
import { oids } from './oid.ts';
import type { Usage, UsageRules } from './purpose.ts';
import { verifyChain } from './verify.ts';

const root = await issue({ name: 'root', ca: true });

async function verdict(purposes: readonly string[], usage: Usage, usageRules: UsageRules) {
  const extensions = [keyUsage(['digital signature']), extendedKeyUsage(purposes)];
  const leaf = await issue({ name: 'leaf', issuer: root, override: { extensions } });
  const found = verifyChain(leaf.certificate, {
    roots: [root.certificate],
    intermediates: [],
    at: exampleNow,
    usage,
    usageRules,
  });
  return found.valid ? 'valid' : found.code;
}

test.each([
  [[oids.serverAuth], 'server auth', 'leaf', 'valid'],
  [[oids.anyExtendedKeyUsage], 'server auth', 'lax', 'valid'],
  [[oids.anyExtendedKeyUsage], 'server auth', 'leaf', 'x509.verify.purpose'],
  [[oids.serverAuth, oids.codeSigning], 'server auth', 'lax', 'valid'],
  [[oids.serverAuth, oids.codeSigning], 'server auth', 'leaf', 'x509.verify.purpose'],
  [['2.23.146.2.1.3'], 'rcs mls client', 'lax', 'valid'],
  [['2.23.146.2.1.3', oids.clientAuth], 'rcs mls client', 'lax', 'x509.verify.purpose'],
  [[oids.emailProtection], 'c2pa manifest', 'lax', 'valid'],
  [[oids.emailProtection, oids.timeStamping], 'c2pa manifest', 'lax', 'x509.verify.purpose'],
  [[oids.timeStamping], 'c2pa time stamping', 'lax', 'valid'],
  [[oids.emailProtection], 'c2pa time stamping', 'lax', 'x509.verify.purpose'],
] as const)('%j for %s, %s: %s', async (purposes, usage, usageRules, expected) => {
  expect(await verdict(purposes, usage, usageRules)).toBe(expected);
});
