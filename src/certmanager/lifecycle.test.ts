import { expect, test } from 'vitest';
import { certificateWorld } from '../../test/support/certificate-world.ts';
import { dayMs, hourMs, minuteMs } from '../base/duration.ts';
import { clusterIssuers } from './kinds.ts';

/** The main job's objects, created and settled. */
async function issued() {
  const world = await certificateWorld();
  await world.createToken();
  await world.createIssuer();
  const manager = await world.start();
  await world.settle();
  await world.createCertificate();
  await world.settle();
  return { world, manager };
}

test('the main job: a verified issuer, a signed certificate, a Secret, and the events of the way', async () => {
  const { world, manager } = await issued();
  expect(await world.issuerCondition('Ready')).toMatchObject({
    status: 'True',
    reason: 'VaultVerified',
    message: 'Vault verified',
  });
  const certificate = await world.certificate();
  expect(certificate.status).toMatchObject({ revision: 1 });
  expect(certificate.status?.nextPrivateKeySecretName).toBeUndefined();
  expect(await world.condition('Issuing')).toBeUndefined();
  expect(await world.condition('Ready')).toMatchObject({
    status: 'True',
    reason: 'Ready',
    message: 'Certificate is up to date and has not expired',
    observedGeneration: 1,
  });
  const secret = (await world.secret())!;
  expect(secret.type).toBe('kubernetes.io/tls');
  expect(Object.keys(secret.data!).toSorted()).toEqual(['ca.crt', 'tls.crt', 'tls.key']);
  expect(secret.metadata.labels).toEqual({ 'controller.cert-manager.io/fao': 'true' });
  expect(secret.metadata.annotations).toEqual({
    'cert-manager.io/alt-names': 'identity.linkerd.cluster.local',
    'cert-manager.io/certificate-name': 'linkerd-identity-issuer',
    'cert-manager.io/common-name': 'identity.linkerd.cluster.local',
    'cert-manager.io/ip-sans': '',
    'cert-manager.io/issuer-group': '',
    'cert-manager.io/issuer-kind': 'ClusterIssuer',
    'cert-manager.io/issuer-name': 'vault-issuer',
    'cert-manager.io/uri-sans': '',
  });
  expect(world.vault.signed).toEqual([
    {
      csr: expect.stringContaining('BEGIN CERTIFICATE REQUEST'),
      common_name: 'identity.linkerd.cluster.local',
      alt_names: 'identity.linkerd.cluster.local',
      ip_sans: '',
      uri_sans: '',
      ttl: '48h0m0s',
      exclude_cn_from_sans: 'true',
    },
  ]);
  const key = secret.metadata.name;
  expect(await world.told('Certificate')).toEqual([
    'Issuing: Issuing certificate as Secret does not exist',
    expect.stringMatching(
      `^Generated: Stored new private key in temporary Secret resource "${key}-[a-z0-9]{5}"$`,
    ),
    `Requested: Created new CertificateRequest resource "${key}-1"`,
    'Issuing: The certificate has been successfully issued',
  ]);
  expect(await world.told('CertificateRequest')).toEqual([
    'cert-manager.io: Certificate request has been approved by cert-manager.io',
    'CertificateIssued: Certificate fetched from issuer successfully',
  ]);
  await manager.close();
});

test('a request says who asks, and for how long, as upstream writes it', async () => {
  const world = await certificateWorld();
  const userInfo = {
    username: 'system:serviceaccount:cert-manager:cert-manager',
    groups: ['system:authenticated'],
  };
  const asked: string[] = [];
  const manager = await world.start({
    ...world.kube,
    async ask<T>(path: string): Promise<T> {
      asked.push(path);
      return { status: { userInfo: { ...userInfo, uid: '', extra: {} } } } as T;
    },
  });
  await world.createCertificate();
  await world.settle();
  const [request] = await world.requests();
  expect(request!.spec).toEqual({
    request: expect.any(String),
    issuerRef: { name: 'vault-issuer', kind: 'ClusterIssuer' },
    duration: '48h0m0s',
    isCA: true,
    usages: ['cert sign', 'crl sign', 'server auth', 'client auth'],
    ...userInfo,
  });
  expect(asked).toEqual(['/apis/authentication.k8s.io/v1/selfsubjectreviews']);
  await manager.close();
});

test('where the server does not say who asks, the request is made without', async () => {
  const { world, manager } = await issued();
  const [request] = await world.requests();
  expect(request!.spec.username).toBeUndefined();
  await manager.close();
});

test('renews 25 hours before the end, with a new key and one request kept', async () => {
  const { world, manager } = await issued();
  const first = await world.leaf();
  const renewal = (await world.certificate()).status!.renewalTime!;
  expect(Date.parse(renewal) - world.clock.now()).toBe(23 * hourMs);
  await world.clock.advance(23 * hourMs - 1_000);
  expect((await world.certificate()).status!.revision).toBe(1);
  await world.clock.advance(2_000);
  await world.settle();
  const second = await world.leaf();
  expect((await world.certificate()).status!.revision).toBe(2);
  expect(second.publicKey.spki.equals(first.publicKey.spki)).toBe(false);
  expect((await world.requests()).map(({ metadata }) => metadata.name)).toEqual([
    'linkerd-identity-issuer-2',
  ]);
  expect(await world.told('Certificate')).toContain(
    `Issuing: Renewing certificate as renewal was scheduled at ${renewal.replace('T', ' ').replace('Z', ' +0000 UTC')}`,
  );
  await manager.close();
});

test('ninety days pass: a certificate every 23 hours, none ever missing or late', async () => {
  const { world, manager } = await issued();
  for (let hours = 0; hours < 80 * 24; hours += 6) {
    await world.clock.advance(6 * hourMs);
    const { notBefore, notAfter } = await world.leaf();
    expect(world.clock.now()).toBeLessThan(notAfter);
    expect(world.clock.now() - notBefore).toBeLessThan(24 * hourMs);
  }
  const { revision } = (await world.certificate()).status!;
  expect(revision).toBe(1 + Math.floor((80 * 24) / 23));
  expect(world.vault.signed).toHaveLength(revision!);
  expect(await world.requests()).toHaveLength(1);
  await manager.close();
});

test.each(['down', 'sealed'] as const)(
  'a CA that is %s at renewal costs no hour: asked again within minutes, and the old certificate stays',
  async (state) => {
    const { world, manager } = await issued();
    const before = await world.leaf();
    world.vault.state = state;
    await world.clock.advance(23 * hourMs);
    const asked = world.vault.asked.length;
    await world.clock.advance(30 * minuteMs);
    // Twelve attempts between five seconds and five minutes apart, and as many looks at the issuer.
    const attempts = world.vault.asked.slice(asked).filter((line) => line.startsWith('POST'));
    expect(attempts.length).toBeLessThanOrEqual(13);
    expect((await world.leaf()).der.equals(before.der)).toBe(true);
    expect(await world.condition('Ready')).toMatchObject({ status: 'True' });
    const certificate = await world.certificate();
    expect(certificate.status?.lastFailureTime).toBeUndefined();
    expect((await world.condition('Issuing'))!.message).toMatch(/^Waiting for CertificateRequest/);
    world.vault.state = 'up';
    await world.clock.advance(5 * minuteMs);
    await world.settle();
    expect((await world.certificate()).status!.revision).toBe(2);
    expect(await world.condition('Issuing')).toBeUndefined();
    await manager.close();
  },
);

test('a CA that is down until after the end: not ready from the second it expires, ready when it is back', async () => {
  const { world, manager } = await issued();
  world.vault.state = 'down';
  const { notAfter } = await world.leaf();
  await world.clock.advance(notAfter - world.clock.now() + 1_000);
  await world.settle();
  expect(await world.condition('Ready')).toMatchObject({
    status: 'False',
    reason: 'Expired',
    message: 'Certificate expired on Sat, 03 Jan 2026 00:00:00 UTC',
  });
  world.vault.state = 'up';
  await world.clock.advance(5 * minuteMs);
  await world.settle();
  expect(await world.condition('Ready')).toMatchObject({ status: 'True' });
  await manager.close();
});

test('a token that ends: the issuer says so within the hour, and a new token renews without the backoff', async () => {
  const { world, manager } = await issued();
  expect(await world.issuerCondition('Authorized')).toMatchObject({
    status: 'True',
    reason: 'SigningPermitted',
  });
  world.vault.tokens.clear();
  await world.clock.advance(hourMs);
  await world.settle();
  expect(await world.issuerCondition('Authorized')).toMatchObject({
    status: 'False',
    reason: 'SigningRefused',
  });
  // What clients rely on is unchanged.
  expect(await world.issuerCondition('Ready')).toMatchObject({ status: 'True', reason: 'VaultVerified' });
  expect(await world.told('ClusterIssuer')).toEqual([
    'SigningRefused: Vault refuses the token on the signing path: it is wrong, has ended, or its policy does not grant update there',
  ]);
  await world.clock.advance(22 * hourMs + minuteMs);
  await world.settle();
  const failed = await world.certificate();
  expect(failed.status).toMatchObject({ revision: 1, failedIssuanceAttempts: 1 });
  expect(await world.condition('Issuing')).toMatchObject({ status: 'False', reason: 'Failed' });
  expect((await world.condition('Issuing'))!.message).toMatch(
    /^The certificate request has failed to complete and will be retried: Vault failed to sign certificate: failed to sign certificate by vault: Error making API request\.\n\nURL: POST http:\/\/127\.0\.0\.1:8200\/v1\/pki\/root\/sign-intermediate\nCode: 403\. Errors:\n\n\* permission denied \(attempt 1 failed, next attempt at 2026-01-02T00:0\d:\d\dZ\)$/,
  );
  world.vault.tokens.add('new-token');
  await world.kube.mergePatch(
    { group: '', version: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true },
    { name: 'my-secret-token', namespace: 'cert-manager' },
    { data: { token: Buffer.from('new-token').toString('base64') } },
  );
  await world.settle();
  expect(await world.issuerCondition('Authorized')).toMatchObject({ status: 'True' });
  expect((await world.certificate()).status).toMatchObject({ revision: 2 });
  expect((await world.certificate()).status?.failedIssuanceAttempts).toBeUndefined();
  await manager.close();
});

test('an hour, then two, then four between attempts that the CA refuses', async () => {
  const { world, manager } = await issued();
  world.vault.insteadOfSigning = { status: 400, body: { errors: ['common name not allowed'] } };
  await world.clock.advance(23 * hourMs + minuteMs);
  const asked = () => world.vault.asked.filter((line) => line.startsWith('POST')).length;
  const attempts: number[] = [];
  let failures = (await world.certificate()).status?.failedIssuanceAttempts;
  expect(failures).toBe(1);
  for (let minutes = 0; minutes < 8 * 60; minutes += 5) {
    await world.clock.advance(5 * minuteMs);
    const now = (await world.certificate()).status?.failedIssuanceAttempts;
    if (now !== failures) attempts.push((minutes + 5) / 60);
    failures = now;
  }
  expect(attempts.map(Math.floor)).toEqual([1, 3, 7]);
  expect(asked()).toBeGreaterThan(0);
  await manager.close();
});

test('the issuer comes last: whatever the order of creation, all becomes ready without waiting', async () => {
  const world = await certificateWorld();
  const manager = await world.start();
  await world.createCertificate();
  await world.settle();
  expect((await world.condition('Issuing'))!.message).toBe(
    'Waiting for CertificateRequest "linkerd-identity-issuer-1": Referenced "ClusterIssuer" not found: clusterissuer.cert-manager.io "vault-issuer" not found',
  );
  await world.createIssuer();
  await world.settle();
  expect(await world.issuerCondition('Ready')).toMatchObject({
    status: 'False',
    reason: 'VaultError',
    message: 'Failed to initialize Vault client: secrets "my-secret-token" not found',
  });
  await world.createToken();
  await world.settle();
  expect(await world.issuerCondition('Ready')).toMatchObject({ status: 'True' });
  expect(await world.condition('Ready')).toMatchObject({ status: 'True' });
  await manager.close();
});

test('a Vault that comes up late verifies by itself', async () => {
  const world = await certificateWorld();
  world.vault.state = 'sealed';
  await world.createToken();
  await world.createIssuer();
  await world.createCertificate();
  const manager = await world.start();
  await world.settle();
  expect(await world.issuerCondition('Ready')).toMatchObject({
    status: 'False',
    reason: 'VaultError',
    message: 'Failed to verify Vault is initialized and unsealed: Vault is sealed',
  });
  world.vault.state = 'up';
  await world.clock.advance(10_000);
  await world.settle();
  expect(await world.condition('Ready')).toMatchObject({ status: 'True' });
  await manager.close();
});

test('an outage of days in a leaf that lives weeks: no storm afterwards', async () => {
  const world = await certificateWorld();
  await world.createToken();
  await world.createIssuer();
  await world.createCertificate({ duration: '720h', renewBefore: '240h' });
  const manager = await world.start();
  await world.settle();
  world.vault.state = 'down';
  await world.clock.advance(23 * dayMs);
  world.vault.state = 'up';
  await world.clock.advance(hourMs);
  expect((await world.certificate()).status!.revision).toBe(2);
  expect(world.vault.signed).toHaveLength(2);
  await manager.close();
});

test('a CA that fails while its issuer counts as ready: few attempts, each announced; none once it is known', async () => {
  const world = await certificateWorld();
  await world.createToken();
  await world.createIssuer();
  const manager = await world.start();
  await world.settle();
  // The issuer is looked at every five minutes; the renewal comes one minute after such a look.
  await world.clock.advance(minuteMs);
  await world.createCertificate();
  await world.clock.advance(23 * hourMs - 30_000);
  world.vault.state = 'down';
  const attempts = () => world.vault.asked.filter((line) => line.startsWith('POST')).length;
  const before = attempts();
  const announced = new Set<string>();
  for (let seconds = 0; seconds < 250; seconds++) {
    await world.clock.advance(1_000);
    const [, next] = /next attempt at (\S+)$/.exec((await world.condition('Issuing'))?.message ?? '') ?? [];
    if (next) announced.add(next);
  }
  // At once, then 5, 5, 10, 20, 40 and 80 seconds apart; the next would be 160 later.
  expect(attempts() - before).toBe(7);
  expect(announced.size).toBe(attempts() - before);
  // Then the issuer is found out, and requests wait for it instead.
  await world.clock.advance(minuteMs);
  expect(await world.issuerCondition('Ready')).toMatchObject({ status: 'False' });
  const whileKnown = attempts();
  await world.clock.advance(hourMs);
  expect(attempts()).toBe(whileKnown);
  world.vault.state = 'up';
  for (let seconds = 0; (await world.issuerCondition('Ready'))?.status === 'False'; seconds++) {
    expect(seconds).toBeLessThanOrEqual(300);
    await world.clock.advance(1_000);
  }
  await world.settle();
  expect((await world.certificate()).status!.revision).toBe(2);
  await manager.close();
});

test('a request between two attempts is tried at once when its issuer changes', async () => {
  const { world, manager } = await issued();
  await world.clock.advance(22 * hourMs + 30 * minuteMs);
  world.vault.insteadOfSigning = { status: 500, body: { errors: ['internal error'] } };
  await world.clock.advance(hourMs);
  expect((await world.condition('Issuing'))!.message).toMatch(/next attempt at/);
  const next = Date.parse(/next attempt at (\S+)$/.exec((await world.condition('Issuing'))!.message!)![1]!);
  expect(next - world.clock.now()).toBeGreaterThan(0);
  world.vault.insteadOfSigning = undefined;
  await world.kube.mergePatch(
    clusterIssuers,
    { name: 'vault-issuer' },
    { spec: { vault: { server: 'http://127.0.0.1:8201' } } },
  );
  await world.settle();
  expect((await world.certificate()).status!.revision).toBe(2);
  await manager.close();
});
