import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { systemEntropy } from '../../base/entropy.ts';
import { buildCertificate, newSerial } from '../../x509/certificate.ts';
import { writeDer } from '../../x509/der.ts';
import { type Extension, subjectAltName } from '../../x509/extension.ts';
import { generateKey } from '../../x509/key.ts';
import { nameOf } from '../../x509/name.ts';
import { signerOf } from '../../x509/signature.ts';
import type { Challenge } from './authorization.ts';
import { judgeHttp, judgeTexts, judgeTls, mostHttpBytes, serverName } from './challenge-rules.ts';

const thumbprint = 'nP1qzpXGymHBrUEepNY9HCsQk7K8KhOypzEt62jcerQ';
const challenge: Challenge = { type: 'http-01', token: 'DGyRejmCefe7v4NfDGDKfA', status: 'processing' };
const proof = `${challenge.token}.${thumbprint}`;
const digest = createHash('sha256').update(proof).digest();
const wrong = expect.objectContaining({ type: 'urn:ietf:params:acme:error:incorrectResponse' }) as unknown;

describe('over HTTP', () => {
  const judge = (body: string, status = 200) =>
    judgeHttp({ status, body: Buffer.from(body) }, { challenge, thumbprint });

  test.each([proof, `${proof}\n`, `${proof}\r\n  `])('%j proves', (body) => {
    expect(judge(body)).toBeUndefined();
  });

  test.each([
    '',
    challenge.token,
    `${proof}x`,
    ` ${proof}`,
    proof.toUpperCase(),
    `${proof}\n${proof}`,
    proof + ' '.repeat(mostHttpBytes),
  ])('%j does not', (body) => {
    expect(judge(body)).toEqual(wrong);
  });

  test('nothing but 200 is an answer', () => {
    for (const status of [201, 204, 404, 500]) expect(judge(proof, status)).toEqual(wrong);
  });
});

test('one of several TXT records proves, being the digest', () => {
  const text = digest.toString('base64url');
  expect(judgeTexts(['x', text], { challenge, thumbprint })).toBeUndefined();
  for (const records of [[], [proof], [`${text}=`], [digest.toString('base64')], [`${text} `]]) {
    expect(judgeTexts(records, { challenge, thumbprint })).toEqual(wrong);
  }
});

test('addresses are asked for by their names in the reverse tree', () => {
  expect(serverName({ type: 'ip', value: '192.0.2.1' })).toBe('1.2.0.192.in-addr.arpa');
  expect(serverName({ type: 'ip', value: '2001:db8::1' })).toBe(
    '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa',
  );
  expect(serverName({ type: 'dns', value: 'a.example' })).toBe('a.example');
});

describe('over TLS', () => {
  const acmeIdentifier = (value: Buffer = digest, critical = true): Extension => ({
    oid: '1.3.6.1.5.5.7.1.31',
    critical,
    value: writeDer((writer) => writer.octetString(value)),
  });
  const key = generateKey({ type: 'ec', curve: 'P-256' }, systemEntropy);
  const subject = nameOf({ commonName: 'challenge' });

  async function shown(extensions: readonly Extension[], issuer = subject, signer = key): Promise<Buffer> {
    const template = {
      serial: newSerial(systemEntropy),
      issuer,
      subject,
      notBefore: 0,
      notAfter: 1_000,
      publicKey: key.publicKey,
      extensions,
    };
    return (await buildCertificate(template, signerOf(signer))).der;
  }

  const names = subjectAltName([{ type: 'dns', value: 'A.example' }]);
  const judge = (
    chain: Buffer[],
    protocol: string | undefined = 'acme-tls/1',
    identifier = { type: 'dns', value: 'a.example' },
  ) =>
    judgeTls(
      { protocol, chain },
      { identifier: identifier as { type: 'dns'; value: string }, challenge, thumbprint },
    );
  let good: Buffer;
  beforeAll(async () => {
    good = await shown([names, acmeIdentifier()]);
  });

  test('a self-signed certificate for the name alone, with the digest, proves', () => {
    expect(judge([good])).toBeUndefined();
  });

  test('of addresses, too', async () => {
    const address = subjectAltName([{ type: 'ip', value: '2001:db8::1' }]);
    const der = await shown([address, acmeIdentifier()]);
    expect(judge([der], 'acme-tls/1', { type: 'ip', value: '2001:db8::1' })).toBeUndefined();
    expect(judge([der], 'acme-tls/1', { type: 'ip', value: '2001:db8::2' })).toEqual(wrong);
    expect(judge([der])).toEqual(wrong);
  });

  test('another protocol, no certificate or more than one do not', () => {
    expect(judge([good], 'http/1.1')).toEqual(wrong);
    expect(
      judgeTls(
        { protocol: undefined, chain: [good] },
        { identifier: { type: 'dns', value: 'a.example' }, challenge, thumbprint },
      ),
    ).toEqual(wrong);
    expect(judge([])).toEqual(wrong);
    expect(judge([good, good])).toEqual(wrong);
    expect(judge([Buffer.from('none')])).toEqual(wrong);
  });

  test.each([
    ['no names', [acmeIdentifier()]],
    ['another name', [subjectAltName([{ type: 'dns', value: 'b.example' }]), acmeIdentifier()]],
    [
      'one name more',
      [
        subjectAltName([
          { type: 'dns', value: 'a.example' },
          { type: 'dns', value: 'b.example' },
        ]),
        acmeIdentifier(),
      ],
    ],
    ['a name of another kind', [subjectAltName([{ type: 'uri', value: 'a.example' }]), acmeIdentifier()]],
    ['no digest', [names]],
    ['a digest that is not critical', [names, acmeIdentifier(digest, false)]],
    ['the digest of another challenge', [names, acmeIdentifier(Buffer.alloc(32))]],
    ['a digest with more behind it', [names, acmeIdentifier(Buffer.concat([digest, Buffer.alloc(1)]))]],
    ['a digest that is no octet string', [names, { ...acmeIdentifier(), value: digest }]],
  ])('a certificate with %s does not', async (_, extensions) => {
    expect(judge([await shown(extensions)])).toEqual(wrong);
  });

  test('one that another key signed does not', async () => {
    const other = generateKey({ type: 'ec', curve: 'P-256' }, systemEntropy);
    expect(judge([await shown([names, acmeIdentifier()], subject, other)])).toEqual(wrong);
    expect(judge([await shown([names, acmeIdentifier()], nameOf({ commonName: 'other' }))])).toEqual(wrong);
  });
});
