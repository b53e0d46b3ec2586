import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type Authority, exampleChain, issue } from '../../test/support/example-chain.ts';
import { systemEntropy } from '../base/entropy.ts';
import { serialText } from './certificate.ts';
import { context, contextConstructed, writeDer } from './der.ts';
import {
  authorityInfoAccess,
  authorityKeyIdentifier,
  basicConstraints,
  crlDistributionPoints,
  extendedKeyUsage,
  keyUsage,
  subjectAltName,
  subjectKeyIdentifier,
} from './extension.ts';
import { generateKeyAsync, keyIdentifier } from './key.ts';
import { nameOf } from './name.ts';
import { oids } from './oid.ts';
import { printCertificateJson, printRequestJson } from './print-json.ts';
import { printCertificateShort } from './print-short.ts';
import { printCertificate, printRequest } from './print-text.ts';

const { root, request } = await exampleChain();

/** The lines of a print, with what differs from one certificate to the next written as its kind. */
function shape(text: string): string[] {
  const hexLine = /^ +(?:[0-9a-f]{2}:)*[0-9a-f]{2}:?$/;
  return text
    .trimEnd()
    .split('\n')
    .map((line) =>
      hexLine.test(line)
        ? `${' '.repeat(line.search(/\S/))}…`
        : line
            .replace(/Serial Number: \d+ \(0x[0-9a-f]+\)$/, 'Serial Number: …')
            .replace(/\w{3} \d+ \d\d:\d\d:\d\d \d{4} UTC$/, '…')
            .replace(/(?:[0-9A-F]{2}:){19}[0-9A-F]{2}$/, 'ID'),
    )
    .filter((line, index, lines) => !(line.endsWith('…') && /^ +…$/.test(line) && line === lines[index - 1]));
}

/** The certificate that the tutorial's page prints, in that shape. */
const sample = `Certificate:
    Data:
        Version: 3 (0x2)
        Serial Number: …
    Signature Algorithm: ECDSA-SHA256
        Issuer: CN=root.linkerd.cluster.local
        Validity
            Not Before: …
            Not After : …
        Subject: CN=root.linkerd.cluster.local
        Subject Public Key Info:
            Public Key Algorithm: ECDSA
                Public-Key: (256 bit)
                X:
                    …
                Y:
                    …
                Curve: P-256
        X509v3 extensions:
            X509v3 Key Usage: critical
                Certificate Sign, CRL Sign
            X509v3 Basic Constraints: critical
                CA:TRUE
            X509v3 Subject Key Identifier:
                ID
            X509v3 Authority Key Identifier:
                keyid:ID
            Authority Information Access:
                CA Issuers - URI:http://127.0.0.1:8200/v1/pki/ca
            X509v3 Subject Alternative Name:
                DNS:root.linkerd.cluster.local
            X509v3 CRL Distribution Points:
                Full Name:
                  URI:http://127.0.0.1:8200/v1/pki/crl
    Signature Algorithm: ECDSA-SHA256
         …`.split('\n');

test('a root as the tutorial makes it prints as it does there, in the classic layout', () => {
  const text = printCertificate(root.certificate, { layout: 'classic' });
  expect(shape(text)).toEqual(sample);
  expect(text).toContain(
    `(0x${serialText(root.certificate.serial)
      .replaceAll(':', '')
      .replace(/^(?:00)+/, '')})`,
  );
  expect(text).toContain(
    'Not Before: May 31 12:00:00 2026 UTC\n            Not After : Jun 2 12:00:00 2026 UTC',
  );
});

test('the current layout differs in two lines', () => {
  const differing = shape(printCertificate(root.certificate)).filter((line, index) => line !== sample[index]);
  expect(differing).toEqual(['        Signature Algorithm: ECDSA-SHA256', '                ID']);
});

const vectors = process.env.CAPSTAN_VECTORS ?? '../shared/vectors';
const repository = join(dirname(fileURLToPath(import.meta.url)), '../..');
const [page] = globSync(resolve(repository, vectors, '../tutorial/*.txt'));

test.skipIf(!page)('the sample above is the one on the page', () => {
  const [printed] = /^Certificate:\n[^]*?(?=\n\n)/m.exec(readFileSync(page!, 'utf8'))!;
  expect(shape(printed)).toEqual(sample);
});

test.each([
  [{ type: 'rsa', bits: 2048 }, 'RSA 2048', ['RSA', 'Public-Key: (2048 bit)', 'Exponent: 65537 (0x10001)']],
  [{ type: 'ec', curve: 'P-521' }, 'ECDSA P-521', ['ECDSA', 'Public-Key: (521 bit)', 'Curve: P-521']],
  [{ type: 'ed25519' }, 'Ed25519 256', ['Ed25519', 'Public-Key: (32 bit)']],
] as const)('the key %j', async (spec, words, lines) => {
  const key = await generateKeyAsync(spec, systemEntropy);
  const { certificate } = await issue({ name: 'a', ca: true, key });
  const text = printCertificate(certificate);
  for (const line of lines) expect(text).toContain(`${line}\n`);
  expect(printCertificateShort(certificate)).toContain(`Root CA Certificate (${words})`);
});

describe('extensions', () => {
  const printed = async (...extensions: Parameters<typeof issue>[0]['extensions'] & object) => {
    const { certificate } = await issue({ name: 'a', override: { extensions } });
    const text = printCertificate(certificate);
    return text.slice(text.indexOf('extensions:\n') + 12, text.lastIndexOf('    Signature Algorithm'));
  };
  const indented = (...lines: string[]) => lines.map((line) => `            ${line}\n`).join('');

  test('each name and use on its line, by type', async () => {
    expect(
      await printed(
        keyUsage([]),
        basicConstraints({ ca: true, pathLength: 0 }),
        extendedKeyUsage([oids.clientAuth, '1.2.3', oids.anyExtendedKeyUsage]),
        subjectAltName(request.subjectAltNames, true),
        authorityInfoAccess({ ocsp: ['http://o'], caIssuers: ['http://a', 'http://b'] }),
        crlDistributionPoints(['http://c', 'http://d']),
        { oid: '1.2.3.4', critical: true, value: Buffer.from('ok\0Ü\xff', 'latin1') },
        { oid: oids.policyConstraints, critical: true, value: Buffer.from('3000', 'hex') },
      ),
    ).toBe(
      indented(
        'X509v3 Key Usage: critical',
        '    None',
        'X509v3 Basic Constraints: critical',
        '    CA:TRUE, pathlen:0',
        'X509v3 Extended Key Usage:',
        '    Client Authentication, Any Usage, 1.2.3',
        'X509v3 Subject Alternative Name: critical',
        '    DNS:web.example.com',
        '    email:web@example.com',
        '    IP Address:192.0.2.7, IP Address:2001:db8::7',
        '    URI:spiffe://example.com/web',
        '    UPN: z',
        'Authority Information Access:',
        '    OCSP - URI:http://o',
        '    CA Issuers - URI:http://a,URI:http://b',
        'X509v3 CRL Distribution Points:',
        '    Full Name:',
        '      URI:http://c, URI:http://d',
        '1.2.3.4: critical',
        '    ok...',
      ) + 'Unknown extension 2.5.29.36\n',
    );
  });

  test('name constraints, by list and type', async () => {
    const value = writeDer((writer) =>
      writer.sequence(() => {
        writer.wrap(contextConstructed(0), () => {
          writer.sequence(() => writer.text(context(2), '.cluster.local'));
          writer.sequence(() => writer.primitive(context(7), Buffer.from([10, 0, 0, 0, 255, 0, 0, 0])));
        });
        writer.wrap(contextConstructed(1), () =>
          writer.sequence(() => writer.text(context(1), 'example.com')),
        );
      }),
    );
    expect(await printed({ oid: oids.nameConstraints, critical: true, value })).toBe(
      indented(
        'X509v3 Name Constraints: critical',
        '    Permitted:',
        '      DNS: .cluster.local',
        '      IP Range: 10.0.0.0/8',
        '    Excluded:',
        '      Email: example.com',
      ),
    );
  });

  test('malformed ones are refused by name', async () => {
    const broken = { ...subjectKeyIdentifier(Buffer.alloc(2)), value: Buffer.from('0400ff', 'hex') };
    await expect(printed(broken)).rejects.toThrow(
      'extension subject key identifier: not valid DER: at byte 2',
    );
  });
});

test('a request prints what it asks for', () => {
  const text = printRequest(request);
  expect(text).toContain('        Subject: C=CH,O=Größe,O=Capstan,CN=web\n');
  expect(text).toContain('        Requested Extensions:\n            X509v3 Subject Alternative Name:\n');
  expect(text).toContain(
    '            X509v3 Key Usage: critical\n                Digital Signature, Decipher Only\n',
  );
});

describe('JSON', () => {
  interface Document {
    [key: string]: unknown;
    validity: Record<string, unknown>;
    extensions: Record<string, unknown>;
  }
  const json = (...authorities: readonly Authority[]) =>
    JSON.parse(printCertificateJson(authorities.map(({ certificate }) => certificate))) as Document;

  test('the members that scripts read, one a line', () => {
    const { certificate } = root;
    const id = keyIdentifier(certificate.publicKey).toString('hex');
    const digest = (hash: string) => createHash(hash).update(certificate.der).digest('hex');
    expect(json(root)).toMatchObject({
      version: 3,
      serial_number: BigInt(`0x${certificate.serial.toString('hex')}`).toString(),
      signature_algorithm: { name: 'ECDSA-SHA256', oid: '1.2.840.10045.4.3.2' },
      issuer: { common_name: ['root.linkerd.cluster.local'] },
      issuer_dn: 'CN=root.linkerd.cluster.local',
      subject_dn: 'CN=root.linkerd.cluster.local',
      validity: { start: '2026-05-31T12:00:00Z', end: '2026-06-02T12:00:00Z', length: 172_800 },
      subject_key_info: {
        key_algorithm: { name: 'ECDSA' },
        ecdsa_public_key: { curve: 'P-256', length: 256 },
      },
      extensions: {
        key_usage: { certificate_sign: true, crl_sign: true, value: 96 },
        basic_constraints: { is_ca: true },
        subject_alt_name: { dns_names: ['root.linkerd.cluster.local'] },
        crl_distribution_points: ['http://127.0.0.1:8200/v1/pki/crl'],
        authority_key_id: id,
        subject_key_id: id,
        authority_info_access: { issuer_urls: ['http://127.0.0.1:8200/v1/pki/ca'] },
      },
      signature: { self_signed: true },
      fingerprint_sha1: digest('sha1'),
      fingerprint_sha256: digest('sha256'),
      names: ['root.linkerd.cluster.local'],
    });
    expect(printCertificateJson([certificate])).toContain(`\n    "subject_key_id": "${id}"`);
  });

  test('what a certificate has not is left out', async () => {
    const bare = await issue({
      name: 'a',
      override: { extensions: [], subject: nameOf({}), issuer: nameOf({}) },
    });
    expect(json(bare)).not.toHaveProperty('issuer_dn');
    expect(json(bare).extensions).toEqual({});
    const unlinked = await issue({
      name: 'a',
      override: { extensions: [authorityKeyIdentifier(Buffer.alloc(1))] },
    });
    expect(json(unlinked).extensions).toEqual({ authority_key_id: '00' });
  });

  test('several certificates are a list', () => {
    expect(JSON.parse(printCertificateJson([root.certificate, root.certificate]))).toHaveLength(2);
  });

  test('a request keeps every digit of its key, and HTML is escaped', () => {
    const text = printRequestJson(request);
    const point = request.spki.subarray(-64);
    expect(text).toContain(`"X": ${BigInt(`0x${point.subarray(0, 32).toString('hex')}`)},\n`);
    expect(JSON.parse(text)).toMatchObject({
      Subject: { common_name: ['web'], country: ['CH'] },
      DNSNames: ['web.example.com'],
      IPAddresses: ['192.0.2.7', '2001:db8::7'],
    });
  });

  test('what HTML gives a meaning is escaped', async () => {
    const { certificate } = await issue({ name: '<a & b>' });
    expect(printCertificateJson([certificate])).toContain('"subject_dn": "CN=\\u003ca \\u0026 b\\u003e"');
  });
});
