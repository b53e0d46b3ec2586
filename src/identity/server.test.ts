import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { issuance } from '../../test/support/certificates.ts';
import { certifyWithoutAlpn, foreignCertify } from '../../test/support/foreign-certify.ts';
import {
  certifyRequest,
  type Hierarchy,
  hierarchy,
  identityService,
  putIssuer,
  putRoots,
  startMs,
  webIdentity,
} from '../../test/support/identity-fixture.ts';
import { type IssuerKube, issuerKube } from '../../test/support/issuer-kube.ts';
import { servedCertificates } from '../../test/support/served-certificates.ts';
import { dayMs, hourMs, minuteMs, secondMs } from '../base/duration.ts';
import { systemEntropy } from '../base/entropy.ts';
import { Fault } from '../base/fault.ts';
import { silentLog } from '../base/log.ts';
import { ManualClock } from '../base/manual-clock.ts';
import { certificatePem, readCertificate } from '../x509/certificate.ts';
import { readRequest } from '../x509/request.ts';
import { verifyChain } from '../x509/verify.ts';
import { type IdentityOptions, type IdentityServer, startIdentity } from './server.ts';

let mesh: Hierarchy;
beforeAll(async () => {
  mesh = await hierarchy('mesh');
});

const running: IdentityServer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()));
});

interface Setup {
  server: IdentityServer;
  kube: IssuerKube;
  clock: ManualClock;
  port: number;
}

async function start(options: Partial<IdentityOptions> = {}, prepare = fill): Promise<Setup> {
  const kube = issuerKube();
  const clock = new ManualClock(startMs);
  prepare(kube);
  const server = await startIdentity({
    ...{ kube, clock, entropy: systemEntropy, log: silentLog },
    listen: { host: '127.0.0.1', port: 0 },
    tls: false,
    ...options,
  });
  running.push(server);
  return { server, kube, clock, port: server.address.port };
}

function fill(kube: IssuerKube): void {
  kube.tokens.set('web-token', 'system:serviceaccount:emojivoto:web');
  putRoots(kube, mesh.root.pem);
  putIssuer(kube, mesh.issuer);
}

const status = (promise: Promise<unknown>): Promise<[number, string]> =>
  promise.then(
    () => [0, ''],
    (error: grpc.ServiceError) => [error.code, error.details],
  );

test('a leaf is in the form that Linkerd gives it', async () => {
  const { port, kube } = await start();
  const request = await certifyRequest();
  const response = await foreignCertify(port, request);
  const leaf = readCertificate(response.leafCertificate);
  expect(leaf.notBefore).toBe(startMs - 10 * secondMs);
  expect(leaf.notAfter).toBe(startMs + dayMs + 10 * secondMs);
  expect(response.validUntilMs).toBe(leaf.notAfter);
  expect(leaf.keyUsage).toEqual(['digital signature', 'key encipherment']);
  expect(leaf.extendedKeyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  expect(leaf.subjectAltNames).toEqual([{ type: 'dns', value: webIdentity }]);
  expect(leaf.authorityKeyId).toEqual(mesh.issuer.certificate.subjectKeyId);
  expect(leaf.publicKey.spki).toEqual(readRequest(request.certificateSigningRequest).publicKey.spki);
  expect(response.intermediateCertificates).toEqual([mesh.issuer.certificate.der]);
  for (const usage of ['server auth', 'client auth'] as const) {
    const [roots, intermediates] = [[mesh.root.certificate], [mesh.issuer.certificate]];
    expect(verifyChain(leaf, { roots, intermediates, at: startMs, usage })).toMatchObject({ valid: true });
  }
  expect(kube.reviews).toEqual([{ token: 'web-token', audiences: ['identity.l5d.io'] }]);
});

test('OpenSSL reads every part of a leaf', async () => {
  const { port } = await start();
  const { leafCertificate } = await foreignCertify(port, await certifyRequest());
  const print = ['x509', '-noout', '-text'];
  const input = certificatePem({ der: leafCertificate });
  const text = execFileSync('openssl', print, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'ignore'] });
  expect(text).toContain('Signature Algorithm: ecdsa-with-SHA256');
  expect(text).toContain('Not Before: Dec 31 23:59:50 2025 GMT');
  expect(text).toContain('Not After : Jan  2 00:00:10 2026 GMT');
  expect(text).toMatch(/Key Usage: critical\s+Digital Signature, Key Encipherment\n/);
  expect(text).toMatch(
    /Extended Key Usage: \n?\s+TLS Web Server Authentication, TLS Web Client Authentication\n/,
  );
  expect(text).toContain(`DNS:${webIdentity}\n`);
  expect(text).not.toContain('CA:TRUE');
});

test('a leaf never outlives the first expiry in the issuer chain', async () => {
  const { port, clock } = await start();
  await clock.advance(30 * hourMs);
  const { validUntilMs } = await foreignCertify(port, await certifyRequest());
  expect(validUntilMs).toBe(mesh.issuer.certificate.notAfter);
});

test('serials differ, also between replicas, and the subject holds no more than the checked name', async () => {
  const [one, two] = [await start(), await start()];
  const subject = { commonName: webIdentity, organization: ['system:masters'] };
  const leaves = await Promise.all(
    [one, one, two].map(async ({ port }) =>
      readCertificate((await foreignCertify(port, await certifyRequest({ subject }))).leafCertificate),
    ),
  );
  expect(new Set(leaves.map(({ serial }) => serial.toString('hex'))).size).toBe(3);
  for (const { der } of leaves) expect(new X509Certificate(der).subject).toBe(`CN=${webIdentity}`);
  const bare = await foreignCertify(one.port, await certifyRequest({ subject: {} }));
  const leaf = readCertificate(bare.leafCertificate);
  expect(leaf.subject.rdns).toEqual([]);
  expect(leaf.extensions.find(({ oid }) => oid === '2.5.29.17')?.critical).toBe(true);
});

test('requests are refused with the statuses of Linkerd', async () => {
  const { port, kube } = await start();
  const told = async (part: Parameters<typeof certifyRequest>[0]) =>
    await status(foreignCertify(port, await certifyRequest(part)));
  const { FAILED_PRECONDITION, INTERNAL, INVALID_ARGUMENT } = grpc.status;
  expect(await told({ identity: '', names: [{ type: 'dns', value: 'x' }] })).toEqual([
    INVALID_ARGUMENT,
    'missing identity',
  ]);
  expect(await told({ token: '' })).toEqual([INVALID_ARGUMENT, 'missing token']);
  expect(await told({ token: 'unknown' })).toEqual([
    FAILED_PRECONDITION,
    'authentication token could not be authenticated',
  ]);
  expect(await told({ keySpec: { type: 'ec', curve: 'P-384' } })).toEqual([
    FAILED_PRECONDITION,
    expect.stringContaining('P-384'),
  ]);
  expect((await told({ keySpec: { type: 'ed25519' } }))[0]).toBe(INTERNAL);
  const uri = { type: 'uri', value: 'spiffe://cluster.local/ns/x' } as const;
  expect(await told({ names: [{ type: 'dns', value: webIdentity }, uri] })).toEqual([
    FAILED_PRECONDITION,
    'cannot validate URIs',
  ]);
  expect(await told({ subject: { commonName: 'someone.else' } })).toEqual([
    FAILED_PRECONDITION,
    'invalid CommonName: someone.else',
  ]);
  expect(
    (await told({ identity: 'voting.emojivoto.serviceaccount.identity.linkerd.cluster.local' }))[0],
  ).toBe(FAILED_PRECONDITION);
  const request = await certifyRequest();
  const broken = { ...request, certificateSigningRequest: request.certificateSigningRequest.subarray(1) };
  expect((await status(foreignCertify(port, broken)))[0]).toBe(INVALID_ARGUMENT);
  // The last octet belongs to the signature: what is asked for stays readable, but nobody has signed it.
  const forged = Buffer.from(request.certificateSigningRequest);
  forged[forged.length - 1]! ^= 1;
  expect(await status(foreignCertify(port, { ...request, certificateSigningRequest: forged }))).toEqual([
    FAILED_PRECONDITION,
    'CSR is not signed by its own key',
  ]);
  expect(kube.events('IssuedLeafCertificate')).toEqual([]);
});

test('what the API says of a token decides, and a server without audiences is asked again', async () => {
  const { port, kube } = await start();
  const told = async () => await status(foreignCertify(port, await certifyRequest()));
  kube.reviewError = { error: 'token audiences ["identity.l5d.io"] is invalid', onlyWithAudiences: true };
  expect(await told()).toEqual([0, '']);
  expect(kube.reviews.map(({ audiences }) => audiences)).toEqual([['identity.l5d.io'], []]);
  kube.reviewError = { error: 'token has expired' };
  expect(await told()).toEqual([grpc.status.INVALID_ARGUMENT, 'token has expired']);
  kube.reviewError = { fault: new Fault('no quorum', { code: 'kube.internal-error', blame: 'peer' }) };
  expect(await told()).toEqual([
    grpc.status.INTERNAL,
    `error validating token for ${webIdentity}: no quorum`,
  ]);
});

test('many proxies at once do not become many connections to the API', async () => {
  let underWay = 0;
  let most = 0;
  const { port } = await start({}, (kube) => {
    fill(kube);
    const real = { ...kube };
    kube.ask = async (path, body) => {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setTimeout(resolve, 5));
      underWay--;
      return await real.ask(path, body);
    };
  });
  const request = await certifyRequest();
  const answers = await Promise.all(Array.from({ length: 200 }, () => status(foreignCertify(port, request))));
  expect(new Set(answers.map(([code]) => code))).toEqual(new Set([0]));
  expect(most).toBe(64);
});

test('an API that does not let the issuer be read yet does not keep the service from starting', async () => {
  const { port, server, kube, clock } = await start({}, (kube) => {
    fill(kube);
    const real = { ...kube };
    kube.list = async () => {
      kube.list = (resource, options) => real.list(resource, options);
      throw new Fault('not now', { code: 'kube.forbidden', blame: 'operator' });
    };
  });
  expect(server.ready()).toBe(false);
  expect((await status(foreignCertify(port, await certifyRequest())))[0]).toBe(grpc.status.UNAVAILABLE);
  await clock.advance(minuteMs);
  await expect.poll(() => server.ready()).toBe(true);
  expect(kube.events('IssuerUpdateSkipped')).toEqual([]);
});

test('it does not start where it may not review tokens', async () => {
  await expect(start({}, (kube) => (kube.allowed = false))).rejects.toMatchObject({
    code: 'identity.access',
  });
  await expect(start({ trustDomain: 'Cluster_local' })).rejects.toMatchObject({ code: 'identity.domain' });
});

test('without an issuer calls are unavailable, until there is one', async () => {
  const { port, kube, server } = await start({}, (kube) =>
    kube.tokens.set('web-token', 'system:serviceaccount:emojivoto:web'),
  );
  const told = async () => await status(foreignCertify(port, await certifyRequest()));
  expect(await told()).toEqual([grpc.status.UNAVAILABLE, 'cert issuer not ready yet']);
  expect(server.ready()).toBe(false);
  putIssuer(kube, mesh.issuer);
  expect((await told())[0]).toBe(grpc.status.UNAVAILABLE);
  putRoots(kube, mesh.root.pem);
  await expect.poll(() => server.ready()).toBe(true);
  expect(await told()).toEqual([0, '']);
  expect(kube.events('IssuerUpdateSkipped')).toEqual([]);
});

test('a rotation of issuer and root is picked up without a restart, in either order', async () => {
  const next = await hierarchy('next');
  const { port, kube, server } = await start();
  const issuerOf = async () => {
    const { intermediateCertificates } = await foreignCertify(port, await certifyRequest());
    return intermediateCertificates[0]!.equals(next.issuer.certificate.der) ? 'next' : 'first';
  };
  // The issuer first: it waits for its root, and the service says so.
  putIssuer(kube, next.issuer);
  await expect.poll(() => kube.events('IssuerUpdateSkipped').length).toBe(1);
  expect(kube.events('IssuerUpdateSkipped')[0]!.message).toMatch(
    /^Skipping issuer update as certs could not be read from Secret linkerd\/linkerd-identity-issuer: failed to verify issuer credentials for 'identity\.linkerd\.cluster\.local' with trust anchors: /,
  );
  expect(await issuerOf()).toBe('first');
  putRoots(kube, mesh.root.pem + next.root.pem);
  await expect.poll(() => kube.events('IssuerUpdated').length).toBe(1);
  expect(kube.events('IssuerUpdated')[0]).toMatchObject({
    message: 'Updated identity issuer',
    involvedObject: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      name: 'linkerd-identity',
      namespace: 'linkerd',
    },
  });
  expect(await issuerOf()).toBe('next');
  // And back: the bundle holds both.
  putIssuer(kube, mesh.issuer);
  await expect.poll(issuerOf).toBe('first');
  expect(server.metrics()).toContain('capstan_identity_issuer_updates_total{result="accepted"} 3\n');
});

test('a change that the watch lost is found at the next resync', async () => {
  const next = await hierarchy('next', { root: mesh.root });
  const { port, kube, clock } = await start({ resyncMs: minuteMs });
  putIssuer(kube, next.issuer, true);
  const issued = async () => (await foreignCertify(port, await certifyRequest())).intermediateCertificates[0];
  expect(await issued()).toEqual(mesh.issuer.certificate.der);
  await clock.advance(minuteMs);
  expect(await issued()).toEqual(next.issuer.certificate.der);
  // A later word about the roots must not bring the issuer back that the watch still remembers.
  putRoots(kube, `${mesh.root.pem}\n`);
  await clock.advance(1);
  expect(await issued()).toEqual(next.issuer.certificate.der);
});

test('a pair that cannot sign is not taken, and why is told once', async () => {
  const issue = issuance('wrong');
  const under = { by: mesh.root, ca: true, commonName: 'identity.linkerd.cluster.local' } as const;
  const other = await issue(under);
  const { kube, port, clock } = await start({ resyncMs: minuteMs });
  const wrong: [{ pem: string; keyPem: string }, RegExp][] = [
    [{ pem: other.pem, keyPem: mesh.issuer.keyPem }, /the private key is not that of the certificate/],
    [await issue({ ...under, ca: false }), /it must be an intermediate-CA, but it is not/],
    [
      await issue({ ...under, keySpec: { type: 'ec', curve: 'P-384' } }),
      /must have a P-256 public key, not P-384/,
    ],
    [await issue({ ...under, notBefore: startMs - 2 * dayMs, lifetimeMs: dayMs }), /expired/],
    [{ pem: 'nothing', keyPem: other.keyPem }, /it holds no certificate/],
    [{ pem: other.pem, keyPem: 'nothing' }, /its private key cannot be read/],
  ];
  for (const [index, [pair, why]] of wrong.entries()) {
    putIssuer(kube, pair);
    await expect.poll(() => kube.events('IssuerUpdateSkipped').length).toBe(index + 1);
    expect(kube.events('IssuerUpdateSkipped').at(-1)!.message).toMatch(why);
    expect(await status(foreignCertify(port, await certifyRequest()))).toEqual([0, '']);
  }
  await clock.advance(5 * minuteMs);
  expect(kube.events('IssuerUpdateSkipped').map(({ count }) => count)).toEqual(wrong.map(() => 1));
  putRoots(kube, 'no roots here');
  await expect.poll(() => kube.events('IssuerUpdateSkipped').length).toBe(wrong.length + 1);
  expect(await status(foreignCertify(port, await certifyRequest()))).toEqual([0, '']);
});

test('an issuer that has ended signs nothing, and an event says so', async () => {
  const { port, kube, clock, server } = await start();
  await clock.advance(48 * hourMs);
  const [code, details] = await status(foreignCertify(port, await certifyRequest()));
  expect(code).toBe(grpc.status.UNKNOWN);
  expect(details).toContain('identity.linkerd.cluster.local');
  await expect.poll(() => kube.events('IssuerValidationFailed').length).toBe(1);
  expect(kube.events('IssuerValidationFailed')[0]!.message).toContain(` - CSR Identity : ${webIdentity}`);
  // Recovery needs nothing but a new issuer.
  putIssuer(kube, (await hierarchy('later', { root: mesh.root, notBefore: clock.now() - hourMs })).issuer);
  await expect.poll(() => kube.events('IssuerUpdated').length).toBe(1);
  expect(await status(foreignCertify(port, await certifyRequest()))).toEqual([0, '']);
  expect(server.metrics()).toMatch(/^issuer_cert_ttl_seconds 169200$/m);
});

test('dropping the root of a live issuer stops it at once', async () => {
  const next = await hierarchy('next');
  const { port, kube } = await start();
  putRoots(kube, next.root.pem);
  await expect
    .poll(async () => (await status(foreignCertify(port, await certifyRequest())))[0])
    .toBe(grpc.status.UNKNOWN);
  putIssuer(kube, next.issuer);
  await expect
    .poll(async () => (await status(foreignCertify(port, await certifyRequest())))[0])
    .toBe(grpc.status.OK);
});

test('each leaf is told of at its service account', async () => {
  const { port, kube } = await start();
  const { leafCertificate } = await foreignCertify(port, await certifyRequest());
  await expect.poll(() => kube.events('IssuedLeafCertificate').length).toBe(1);
  const hash = new X509Certificate(leafCertificate).fingerprint256.replaceAll(':', '').toLowerCase();
  expect(kube.events('IssuedLeafCertificate')[0]).toMatchObject({
    message: `issued certificate for ${webIdentity} until 2026-01-02 00:00:10 +0000 UTC: ${hash}`,
    involvedObject: { kind: 'ServiceAccount', name: 'web', namespace: 'emojivoto' },
  });
});

test('over TLS it is met under its own name, by clients with ALPN and without', async () => {
  // These clients judge by the machine's clock.
  const clock = new ManualClock(Date.now());
  const today = await hierarchy('today', { notBefore: clock.now() - hourMs });
  const { port } = await start({ tls: true, clock }, (kube) => {
    fill(kube);
    putRoots(kube, today.root.pem);
    putIssuer(kube, today.issuer);
  });
  const secure = { roots: today.root.pem, serverName: identityService };
  const { leafCertificate } = await foreignCertify(port, await certifyRequest(), secure);
  expect(new X509Certificate(leafCertificate).subjectAltName).toBe(`DNS:${webIdentity}`);
  expect(await certifyWithoutAlpn(port, identityService, today.root.pem, await certifyRequest())).toEqual({
    alpn: false,
    protocol: 'TLSv1.3',
    authorized: true,
    status: '0',
  });
});

test('its own leaf is renewed in time and follows the issuer', async () => {
  const next = await hierarchy('next', { root: mesh.root });
  const { port, kube, clock } = await start({ tls: true });
  const first = await servedCertificates(port, identityService);
  expect(first[0]!.subjectAltName).toBe(`DNS:${identityService}`);
  await clock.advance(0.6 * dayMs);
  expect((await servedCertificates(port, identityService))[0]!.fingerprint256).toBe(first[0]!.fingerprint256);
  await clock.advance(0.2 * dayMs);
  const second = await servedCertificates(port, identityService);
  expect(second[0]!.fingerprint256).not.toBe(first[0]!.fingerprint256);
  putIssuer(kube, next.issuer);
  await expect
    .poll(async () => (await servedCertificates(port, identityService))[1]!.raw)
    .toEqual(next.issuer.certificate.der);
});

test('the admin port tells health, readiness and metrics', async () => {
  const { server, port, kube } = await start({ adminListen: { host: '127.0.0.1', port: 0 } });
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${server.adminAddress!.port}${path}`);
    return [response.status, await response.text()] as const;
  };
  expect(await get('/ping')).toEqual([200, 'pong\n']);
  expect(await get('/ready')).toEqual([200, 'ok\n']);
  expect((await get('/elsewhere'))[0]).toBe(404);
  await foreignCertify(port, await certifyRequest());
  kube.tokens.clear();
  await status(foreignCertify(port, await certifyRequest()));
  const [, metrics] = await get('/metrics');
  const method = 'grpc_method="Certify",grpc_service="io.linkerd.proxy.identity.Identity",grpc_type="unary"';
  for (const line of [
    'issuer_cert_ttl_seconds 169200',
    `grpc_server_started_total{${method}} 2`,
    `grpc_server_handled_total{grpc_code="OK",${method}} 1`,
    `grpc_server_handled_total{grpc_code="FailedPrecondition",${method}} 1`,
    `grpc_server_msg_received_total{${method}} 2`,
    `grpc_server_msg_sent_total{${method}} 1`,
    `grpc_server_handling_seconds_count{${method}} 2`,
  ]) {
    expect(metrics.split('\n')).toContain(line);
  }
  expect(metrics).toMatch(
    /^capstan_identity_trust_anchor_ttl_seconds\{fingerprint="[0-9a-f]{64}",subject="CN=root\.linkerd\.cluster\.local"\} 7772400$/m,
  );
});
