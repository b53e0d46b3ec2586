import { expect, test } from 'vitest';
import { exampleNow, type Issued, issue } from '../../test/support/example-chain.ts';
import type { CertificateForm } from './certificate-form.ts';
import {
  authorityKeyIdentifier,
  basicConstraints,
  type Extension,
  extendedKeyUsage,
  keyUsage,
  subjectAltName,
  subjectKeyIdentifier,
} from './extension.ts';
import { oids } from './oid.ts';
import { verifyChain } from './verify.ts';

const root = await issue({ name: 'root', ca: true });

async function verdict(form: CertificateForm | undefined, issued: Partial<Issued>) {
  const leaf = await issue({ name: 'leaf.example', issuer: root, ...issued });
  const found = verifyChain(leaf.certificate, {
    roots: [root.certificate],
    intermediates: [],
    at: exampleNow,
    ...(form ? { form } : {}),
  });
  return found.valid ? 'valid' : found.reason;
}

const critical = (extension: Extension): Extension => ({ ...extension, critical: true });
const own = (...extensions: Extension[]): Partial<Issued> => ({ override: { extensions } });
const named = subjectAltName([{ type: 'dns', value: '*.example' }]);
const identified = authorityKeyIdentifier(root.certificate.subjectKeyId!);

test('a mesh takes what a form forbids, and what the product issues keeps to RFC 5280', async () => {
  expect(await verdict(undefined, own(named))).toBe('valid');
  expect(await verdict('rfc5280', {})).toBe('valid');
  expect(await verdict('web', {})).toBe('valid');
});

test.each([
  ['does not identify the key of its issuer', 'rfc5280', own(named)],
  ['must not be critical', 'rfc5280', own(critical(identified))],
  ['may sign certificates, and is no CA', 'rfc5280', own(identified, keyUsage(['cert sign']))],
  [
    'is a CA that does not identify its key',
    'rfc5280',
    own(identified, basicConstraints({ ca: true }), keyUsage(['cert sign'])),
  ],
  [
    'is for every name below a public suffix',
    'web',
    own(identified, named, extendedKeyUsage([oids.serverAuth])),
  ],
  ['does not name its purposes', 'web', own(identified)],
  [
    'makes its alternative names critical',
    'web',
    own(identified, critical(subjectAltName([{ type: 'dns', value: 'a.example' }]))),
  ],
  [
    'is a CA certificate, and used as a leaf',
    'web',
    own(identified, subjectKeyIdentifier(Buffer.from('id')), basicConstraints({ ca: true })),
  ],
] as const)('%s (%s)', async (reason, form, issued) => {
  expect(await verdict(form, issued)).toContain(reason);
  expect(await verdict(undefined, issued)).toBe('valid');
});
