import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as acme from 'acme-client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readCertificates } from '../src/x509/certificate.ts';
import { oids } from '../src/x509/oid.ts';
import { type AcmeServer, acmeServer } from './support/acme.ts';

let ca: AcmeServer;
let web: Server;
const tokens = new Map<string, string>();

beforeEach(async () => {
  tokens.clear();
  ca = await acmeServer();
  web = createServer((request, response) => {
    const found = tokens.get(request.url ?? '');
    response.writeHead(found === undefined ? 404 : 200).end(`${found ?? ''}\n`);
  });
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  ca.network.ports.set(80, (web.address() as AddressInfo).port);
});
afterEach(async () => {
  await ca.close();
  await new Promise((resolve) => web.close(resolve));
});

async function client(directoryUrl = ca.directoryUrl, more: object = {}) {
  return new acme.Client({
    directoryUrl,
    accountKey: await acme.crypto.createPrivateEcdsaKey(),
    backoffMin: 50,
    backoffMax: 200,
    ...more,
  });
}

const solver = {
  termsOfServiceAgreed: true,
  skipChallengeVerification: true,
  challengeCreateFn: async (
    authorization: acme.Authorization,
    challenge: { type: string; token: string },
    keyAuthorization: string,
  ) => {
    if (challenge.type === 'http-01') {
      tokens.set(`/.well-known/acme-challenge/${challenge.token}`, keyAuthorization);
    } else {
      const { texts } = ca.network;
      const name = `_acme-challenge.${authorization.identifier.value}`;
      texts.set(name, [...(texts.get(name) ?? []), keyAuthorization]);
    }
  },
  challengeRemoveFn: async () => {},
};

test('a certificate for names proven over HTTP', async () => {
  const [, csr] = await acme.crypto.createCsr({ altNames: ['a.example', 'b.a.example'] });
  const one = await client();
  const pem = await one.auto({ ...solver, csr, email: 'ops@example.com' });
  const [leaf, root, ...more] = readCertificates(pem);
  expect(leaf!.subjectAltNames.map(({ value }) => value)).toEqual(['a.example', 'b.a.example']);
  expect(leaf!.extendedKeyUsage).toEqual([oids.serverAuth]);
  expect(root!.isCa).toBe(true);
  expect(more).toEqual([]);
});

test('a wildcard needs a DNS record', async () => {
  const [, csr] = await acme.crypto.createCsr({ commonName: '*.w.example', altNames: ['w.example'] });
  const one = await client();
  const pem = await one.auto({ ...solver, csr, challengePriority: ['dns-01'] });
  const [leaf] = readCertificates(pem);
  expect(leaf!.subjectAltNames.map(({ value }) => value)).toEqual(
    expect.arrayContaining(['*.w.example', 'w.example']),
  );
});
