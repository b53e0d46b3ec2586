import { expect, test, vi } from 'vitest';
import {
  type CertificateWorld,
  certificateName,
  certificateWorld,
} from '../../test/support/certificate-world.ts';
import { hourMs, minuteMs } from '../base/duration.ts';
import { secrets } from '../kube/resource.ts';
import { rfc3339, withCondition } from './conditions.ts';
import type { CertManager } from './controllers.ts';
import { type CertificateSpec, certificateRequests, certificates, clusterIssuers } from './kinds.ts';

const at = { name: certificateName, namespace: 'linkerd' };

async function withCertificate(
  spec: Partial<CertificateSpec>,
  check: (world: CertificateWorld, manager: CertManager) => Promise<void>,
): Promise<void> {
  const world = await certificateWorld();
  await world.createToken();
  await world.createIssuer();
  const manager = await world.start();
  await world.settle();
  await world.createCertificate(spec);
  await world.settle();
  await check(world, manager);
  await manager.close();
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

test('a deleted Secret is issued again, with a new key', () =>
  withCertificate({}, async (world) => {
    const before = await world.leaf();
    await world.kube.delete(secrets, certificateName, 'linkerd');
    await world.settle();
    const after = await world.leaf();
    expect(after.publicKey.spki.equals(before.publicKey.spki)).toBe(false);
    expect((await world.certificate()).status!.revision).toBe(2);
  }));

test.each([
  ['a label is taken away', { metadata: { labels: { 'controller.cert-manager.io/fao': null } } }],
  ['an annotation is changed', { metadata: { annotations: { 'cert-manager.io/common-name': 'other' } } }],
  ['the root is replaced', { data: { 'ca.crt': base64('somebody else') } }],
  ['the root is removed', { data: { 'ca.crt': null } }],
])('put back without a new certificate: %s', (_, patch) =>
  withCertificate({}, async (world) => {
    const before = (await world.secret())!;
    await world.kube.mergePatch(secrets, at, patch);
    await world.settle();
    const { data, metadata } = (await world.secret())!;
    expect(data).toEqual(before.data);
    expect(metadata.labels).toEqual(before.metadata.labels);
    expect(metadata.annotations).toEqual(before.metadata.annotations);
    expect((await world.certificate()).status!.revision).toBe(1);
  }),
);

test.each([
  ['a key of somebody else', { 'tls.key': base64('not a key') }, 'contains invalid private key data'],
  ['an empty certificate', { 'tls.crt': '' }, 'does not contain a certificate'],
  [
    'a certificate that is none',
    { 'tls.crt': base64('not a certificate') },
    'contains an invalid certificate',
  ],
])('issued again: %s', (_, data, message) =>
  withCertificate({}, async (world) => {
    await world.kube.mergePatch(secrets, at, { data });
    await world.settle();
    expect((await world.certificate()).status!.revision).toBe(2);
    expect(await world.told('Certificate')).toContainEqual(
      expect.stringContaining(`Issuing: Issuing certificate as Secret ${message}`),
    );
    expect(await world.condition('Ready')).toMatchObject({ status: 'True' });
  }),
);

test('what others add to the Secret stays', () =>
  withCertificate({}, async (world) => {
    await world.kube.mergePatch(secrets, at, {
      metadata: { labels: { team: 'mesh' } },
      data: { extra: base64('x') },
    });
    await world.clock.advance(24 * hourMs);
    const { data, metadata } = (await world.secret())!;
    expect(metadata.labels!['team']).toBe('mesh');
    expect(data!['extra']).toBe(base64('x'));
    expect((await world.certificate()).status!.revision).toBe(2);
  }));

test('a Secret that was there before keeps its type', async () => {
  const world = await certificateWorld();
  await world.kube.create(secrets, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: at,
    type: 'Opaque',
    data: {},
  } as never);
  await world.createToken();
  await world.createIssuer();
  await world.createCertificate();
  const manager = await world.start();
  await world.settle();
  await world.clock.advance(minuteMs);
  expect((await world.secret())!.type).toBe('Opaque');
  expect(await world.condition('Ready')).toMatchObject({ status: 'True' });
  await manager.close();
});

test('the template follows the spec both ways, and further formats appear and go', () =>
  withCertificate({ secretTemplate: { labels: { team: 'mesh', gone: 'soon' } } }, async (world) => {
    expect((await world.secret())!.metadata.labels).toMatchObject({ team: 'mesh', gone: 'soon' });
    await world.kube.mergePatch(certificates, at, {
      spec: {
        secretTemplate: { labels: { gone: null }, annotations: { note: 'here' } },
        additionalOutputFormats: [{ type: 'CombinedPEM' }, { type: 'DER' }],
      },
    });
    await world.settle();
    const { data, metadata } = (await world.secret())!;
    expect(metadata.labels).toEqual({ team: 'mesh', 'controller.cert-manager.io/fao': 'true' });
    expect(metadata.annotations!['note']).toBe('here');
    const text = (key: string) => Buffer.from(data![key]!, 'base64').toString();
    expect(text('tls-combined.pem')).toBe(`${text('tls.key')}\n${text('tls.crt')}`);
    expect(Buffer.from(data!['key.der']!, 'base64')[0]).toBe(0x30);
    await world.kube.mergePatch(certificates, at, { spec: { additionalOutputFormats: null } });
    await world.settle();
    expect(Object.keys((await world.secret())!.data!).toSorted()).toEqual(['ca.crt', 'tls.crt', 'tls.key']);
    expect((await world.certificate()).status!.revision).toBe(1);
  }));

test.each<[string, Partial<CertificateSpec>, string]>([
  [
    'another name',
    { dnsNames: ['other.linkerd.cluster.local'] },
    'Fields on existing CertificateRequest resource not up to date: [spec.dnsNames]',
  ],
  [
    'another life',
    { duration: '72h' },
    'Fields on existing CertificateRequest resource not up to date: [spec.duration]',
  ],
  [
    'another key size',
    { privateKey: { algorithm: 'ECDSA', size: 384 } },
    'Existing private key is not up to date for spec: [spec.privateKey.size]',
  ],
])('a changed spec is issued for: %s', (_, spec, message) =>
  withCertificate({}, async (world) => {
    await world.kube.mergePatch(certificates, at, { spec });
    // Keys other than P-256 sign on other threads, which simulated time does not wait for.
    await vi.waitFor(async () => {
      await world.settle();
      expect((await world.certificate()).status!.revision).toBe(2);
    });
    expect(await world.told('Certificate')).toContain(`Issuing: ${message}`);
  }),
);

test('a spec that no CA could fulfil is named, not tried, and taken up when mended', () =>
  withCertificate({ usages: ['server auth', 'world peace'] }, async (world) => {
    expect(await world.condition('Issuing')).toMatchObject({
      status: 'False',
      reason: 'InvalidSpec',
      message: expect.stringContaining('unknown key usages: [world peace]'),
    });
    expect(world.vault.signed).toEqual([]);
    await world.kube.mergePatch(certificates, at, { spec: { usages: ['server auth'] } });
    await world.settle();
    expect(await world.condition('Ready')).toMatchObject({ status: 'True' });
  }));

test('keystores that are asked for and not made are told of', () =>
  withCertificate({ keystores: { pkcs12: { create: true } } }, async (world) => {
    expect(await world.condition('Ready')).toMatchObject({ status: 'True' });
    expect(await world.told('Certificate')).toContainEqual(expect.stringMatching(/^KeystoresNotServed: /));
  }));

test('cmctl renew: Issuing set by hand issues at once', () =>
  withCertificate({}, async (world) => {
    const certificate = await world.certificate();
    const conditions = withCondition(
      certificate.status!.conditions,
      {
        type: 'Issuing',
        status: 'True',
        reason: 'ManuallyTriggered',
        message: 'Certificate re-issuance manually triggered',
      },
      world.clock.now(),
    );
    await world.kube.replaceStatus(certificates, {
      ...certificate,
      status: { ...certificate.status, conditions },
    });
    await world.settle();
    expect((await world.certificate()).status!.revision).toBe(2);
  }));

test('rotationPolicy Never keeps the key over a renewal', () =>
  withCertificate({ privateKey: { algorithm: 'ECDSA', rotationPolicy: 'Never' } }, async (world) => {
    const before = await world.leaf();
    await world.clock.advance(24 * hourMs);
    expect((await world.certificate()).status!.revision).toBe(2);
    expect((await world.leaf()).publicKey.spki.equals(before.publicKey.spki)).toBe(true);
    expect(await world.told('Certificate')).toContain(
      'Reused: Reusing private key stored in existing Secret resource "linkerd-identity-issuer"',
    );
  }));

test('two Certificates on one Secret: the first keeps it, the second takes over when it goes', () =>
  withCertificate({}, async (world) => {
    await world.clock.advance(minuteMs);
    await world.createCertificate({ commonName: 'second', dnsNames: [] }, 'second');
    await world.clock.advance(10 * minuteMs);
    expect(world.vault.signed).toHaveLength(1);
    expect(await world.condition('Ready', 'second')).toMatchObject({
      status: 'False',
      reason: 'IncorrectCertificate',
    });
    await world.kube.delete(certificates, certificateName, 'linkerd');
    await world.settle();
    expect(await world.condition('Ready', 'second')).toMatchObject({ status: 'True' });
    expect(await world.told('Certificate')).toContain(
      'Issuing: Secret was issued for "linkerd-identity-issuer". If this message is not transient, you might have two conflicting Certificates pointing to the same secret.',
    );
  }));

test('requests of other groups are left alone', () =>
  withCertificate({ issuerRef: { name: 'other', kind: 'Other', group: 'example.com' } }, async (world) => {
    const [request] = await world.requests();
    expect(request!.status).toBeUndefined();
    expect(await world.condition('Issuing')).toMatchObject({ status: 'True', reason: 'DoesNotExist' });
  }));

test('a denied request is not signed, and counts as a failure', () =>
  withCertificate({ issuerRef: { name: 'not-there', kind: 'Issuer' } }, async (world) => {
    const [request] = await world.requests();
    const conditions = [
      {
        type: 'Denied',
        status: 'True' as const,
        reason: 'Policy',
        message: 'not this one',
        lastTransitionTime: rfc3339(world.clock.now()),
      },
    ];
    await world.kube.replaceStatus(certificateRequests, { ...request!, status: { conditions } });
    await world.settle();
    expect(await world.condition('Issuing')).toMatchObject({
      status: 'False',
      reason: 'Policy',
      message: expect.stringContaining(
        'The certificate request has failed to complete and will be retried: not this one',
      ),
    });
    expect((await world.requests())[0]!.status!.conditions).toContainEqual(
      expect.objectContaining({ type: 'Ready', reason: 'Denied' }),
    );
    await world.clock.advance(2 * hourMs);
    const [second] = await world.requests();
    expect(second!.metadata.uid).not.toBe(request!.metadata.uid);
  }));

test.each([
  ['selfSigned', { selfSigned: {} }],
  ['acme', { acme: {} }],
])('an issuer of type %s says that it is not served', async (type, spec) => {
  const world = await certificateWorld();
  await world.createIssuer(spec);
  const manager = await world.start();
  await world.settle();
  expect(await world.issuerCondition('Ready')).toMatchObject({
    status: 'False',
    reason: 'IssuerTypeNotServed',
    message: expect.stringContaining(`type ${type} are not served yet`),
  });
  await world.kube.mergePatch(clusterIssuers, { name: 'vault-issuer' }, { spec: { [type]: null } });
  await world.settle();
  expect(await world.issuerCondition('Ready')).toMatchObject({ reason: 'IssuerTypeMissing' });
  await manager.close();
});

test.each([
  ['of another key', { certificate: 'other key' }, 'public key that does not match the CSR'],
  [
    'that is none',
    { certificate: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' },
    'failed to parse certificate chain from vault',
  ],
])('an answer %s never reaches the Secret', async (_, data, message) => {
  const world = await certificateWorld();
  const { certificatePem } = await import('../x509/certificate.ts');
  const answer = data.certificate === 'other key' ? { certificate: certificatePem(world.vault.root) } : data;
  world.vault.insteadOfSigning = { status: 200, body: { data: answer } };
  await world.createToken();
  await world.createIssuer();
  await world.createCertificate();
  const manager = await world.start();
  await world.settle();
  expect(await world.secret()).toBeUndefined();
  expect((await world.condition('Issuing'))!.message).toContain(message);
  await manager.close();
});
