import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type Authority, exampleChain, exampleNow, issue } from '../../test/support/example-chain.ts';
import { dayMs } from '../base/duration.ts';
import { systemEntropy } from '../base/entropy.ts';
import { buildCertificate, type Certificate, readCertificate } from './certificate.ts';
import { context, contextConstructed, tags, writeDer } from './der.ts';
import { basicConstraints, extendedKeyUsage, keyUsage, subjectAltName } from './extension.ts';
import { generateKey, readPrivateKey } from './key.ts';
import { nameOf } from './name.ts';
import { oids } from './oid.ts';
import { type VerifyOptions, verifyChain } from './verify.ts';

const certificates = (...authorities: readonly Authority[]) =>
  authorities.map(({ certificate }) => certificate);

function verify(
  leaf: Authority,
  roots: readonly Authority[],
  intermediates: readonly Authority[] = [],
  options: Partial<VerifyOptions> = {},
) {
  return verifyChain(leaf.certificate, {
    roots: certificates(...roots),
    intermediates: certificates(...intermediates),
    at: exampleNow,
    ...options,
  });
}

const subjects = (chain: readonly Certificate[]) => chain.map(({ subject }) => subject.rdns[0]?.[0]?.value);

const { root, intermediate, leaf } = await exampleChain();

test('a chain from leaf to root, in order, with strangers among the intermediates', async () => {
  const stranger = await issue({ name: 'stranger', ca: true });
  const verdict = verify(leaf, [stranger, root], [stranger, root, intermediate], {
    usage: 'server auth',
    dnsName: 'web.emojivoto.serviceaccount.identity.linkerd',
  });
  expect(verdict.valid && subjects(verdict.chain)).toEqual([
    'web.emojivoto.serviceaccount.identity.linkerd',
    'identity.linkerd.cluster.local',
    'root.linkerd.cluster.local',
  ]);
});

test('an intermediate that is trusted ends the chain, and a leaf that is trusted is one by itself', () => {
  expect(verify(leaf, [intermediate])).toMatchObject({
    valid: true,
    chain: certificates(leaf, intermediate),
  });
  expect(verify(leaf, [leaf])).toMatchObject({ valid: true, chain: certificates(leaf) });
});

describe('dates', () => {
  const { notBefore, notAfter } = leaf.certificate;
  test.each([
    [notBefore - 1, 'x509.verify.not-yet-valid'],
    [notBefore, undefined],
    [notAfter, undefined],
    [notAfter + 1, 'x509.verify.expired'],
  ])('at %d: %s', (at, code) => {
    const verdict = verify(leaf, [root], [intermediate], { at });
    expect(verdict.valid ? undefined : verdict.code).toBe(code);
  });

  test.each([
    ['intermediate', 0],
    ['root', 1],
  ])('an expired %s is named with its dates', async (_, level) => {
    const notAfter = exampleNow - 1_000;
    const top = await issue({
      name: 'old root',
      ca: true,
      ...(level === 1 ? { override: { notAfter } } : {}),
    });
    const middle = await issue({
      name: 'old intermediate',
      ca: true,
      issuer: top,
      ...(level === 0 ? { override: { notAfter } } : {}),
    });
    const bottom = await issue({ name: 'web', issuer: middle });
    expect(verify(bottom, [top], [middle])).toEqual({
      valid: false,
      code: 'x509.verify.expired',
      reason:
        `certificate CN=old ${level === 0 ? 'intermediate' : 'root'} has expired: it is valid from ` +
        '2026-05-31T12:00:00Z to 2026-06-01T11:59:59Z, and it is 2026-06-01T12:00:00Z',
    });
  });
});

describe('who may issue', () => {
  test('not a leaf', async () => {
    const forged = await issue({ name: 'forged', issuer: leaf });
    expect(verify(forged, [root], [intermediate, leaf])).toMatchObject({
      code: 'x509.verify.not-ca',
      reason: expect.stringContaining(
        'certificate CN=web.emojivoto.serviceaccount.identity.linkerd is not a CA',
      ),
    });
  });

  test('not a CA whose key usage leaves signing out', async () => {
    const override = { extensions: [basicConstraints({ ca: true }), keyUsage(['digital signature'])] };
    const ca = await issue({ name: 'ca', ca: true, issuer: root, override });
    expect(verify(await issue({ name: 'web', issuer: ca }), [root], [ca])).toMatchObject({
      code: 'x509.verify.key-usage',
    });
  });

  test('not a CA below one that allows none, except under its own name', async () => {
    const below = await issue({ name: 'below', ca: true, issuer: intermediate });
    const bottom = await issue({ name: 'web', issuer: below });
    expect(verify(bottom, [root], [intermediate, below])).toMatchObject({ code: 'x509.verify.path-length' });
    const renewed = await issue({ name: 'identity.linkerd.cluster.local', ca: true, issuer: intermediate });
    const under = await issue({ name: 'web', issuer: renewed });
    expect(verify(under, [root], [intermediate, renewed])).toMatchObject({ valid: true });
  });

  test('not a CA that is for other purposes', async () => {
    const ca = await issue({
      name: 'mail ca',
      ca: true,
      issuer: root,
      extensions: [extendedKeyUsage([oids.emailProtection, oids.clientAuth])],
    });
    const bottom = await issue({ name: 'web', issuer: ca });
    expect(verify(bottom, [root], [ca], { usage: 'server auth' })).toMatchObject({
      code: 'x509.verify.purpose',
    });
    expect(verify(bottom, [root], [ca], { usage: 'client auth' })).toMatchObject({ valid: true });
    expect(verify(bottom, [root], [ca])).toMatchObject({ valid: true });
  });

  test('not one with a critical extension that is unknown', async () => {
    const value = writeDer((writer) => writer.sequence(() => {}));
    for (const [oid, critical, expected] of [
      ['1.2.3.4', true, 'x509.verify.critical-extension'],
      ['1.2.3.4', false, undefined],
      [oids.subjectInfoAccess, true, 'x509.verify.critical-extension'],
    ] as const) {
      const ca = await issue({ name: 'ca', ca: true, issuer: root, extensions: [{ oid, critical, value }] });
      const verdict = verify(await issue({ name: 'web', issuer: ca }), [root], [ca]);
      expect(verdict.valid ? undefined : verdict.code).toBe(expected);
    }
  });
});

describe('name constraints', () => {
  const constraints = (list: 0 | 1, domain: string, critical = true) => ({
    oid: oids.nameConstraints,
    critical,
    value: writeDer((writer) =>
      writer.sequence(() =>
        writer.wrap(contextConstructed(list), () => writer.sequence(() => writer.text(context(2), domain))),
      ),
    ),
  });

  test.each([
    ['permitted', constraints(0, 'cluster.local'), 'web.cluster.local', true],
    ['permitted', constraints(0, 'cluster.local'), 'CLUSTER.LOCAL', true],
    ['permitted', constraints(0, 'cluster.local'), 'web.example.com', false],
    ['permitted', constraints(0, 'cluster.local'), 'xcluster.local', false],
    ['permitted', constraints(0, 'cluster.local', false), 'web.example.com', false],
    ['permitted', constraints(0, ''), 'web.example.com', true],
    ['permitted', constraints(0, 'cluster.local'), '*.cluster.local', true],
    ['excluded', constraints(1, 'cluster.local'), 'web.example.com', true],
    ['excluded', constraints(1, 'cluster.local'), 'web.cluster.local', false],
    ['excluded', constraints(1, 'web.cluster.local'), '*.cluster.local', false],
    ['excluded', constraints(1, 'cluster.local'), 'not a host', false],
  ])('%s %#: %j for %s', async (_, extension, name, valid) => {
    const ca = await issue({ name: 'ca', ca: true, issuer: root, extensions: [extension] });
    const below = await issue({ name: 'below', ca: true, issuer: ca });
    const bottom = await issue({ name, issuer: below });
    expect(verify(bottom, [root], [ca, below])).toMatchObject(
      valid
        ? { valid }
        : {
            code: 'x509.verify.name',
            reason: expect.stringContaining(`certificate CN=${name} has the name dns:`),
          },
    );
  });

  test('on a leaf, or of a form that is none, are refused', async () => {
    const bottom = await issue({ name: 'web', issuer: root, extensions: [constraints(0, 'web')] });
    expect(verify(bottom, [root])).toMatchObject({ code: 'x509.verify.name-constraints' });
    const ca = await issue({
      name: 'ca',
      ca: true,
      issuer: root,
      extensions: [constraints(0, '.cluster.local')],
    });
    expect(verify(await issue({ name: 'web', issuer: ca }), [root], [ca])).toMatchObject({
      code: 'x509.verify.malformed',
      reason: 'certificate CN=ca cannot be judged: ".cluster.local" is no domain to constrain names to',
    });
  });
});

describe('whom it is issued by', () => {
  test('nobody that is known', () => {
    expect(verify(leaf, [root])).toEqual({
      valid: false,
      code: 'x509.verify.unknown-authority',
      reason:
        'certificate CN=web.emojivoto.serviceaccount.identity.linkerd is issued by ' +
        'CN=identity.linkerd.cluster.local, of which no certificate is trusted or given',
    });
    expect(verify(root, [])).toMatchObject({
      reason: 'certificate CN=root.linkerd.cluster.local is its own issuer and none of the trusted roots',
    });
  });

  test('a namesake with another key', async () => {
    const namesake = await issue({ name: 'root.linkerd.cluster.local', ca: true });
    expect(verify(leaf, [namesake], [intermediate])).toMatchObject({
      code: 'x509.verify.signature',
      reason: expect.stringContaining(
        'is not signed by the key of certificate CN=root.linkerd.cluster.local',
      ),
    });
    expect(verify(leaf, [namesake, root], [intermediate])).toMatchObject({ valid: true });
  });

  test('an RSA key of 512 bits proves nothing', async () => {
    // Generated here and not by generateKey, which refuses to.
    const weak = readPrivateKey(
      generateKeyPairSync('rsa', { modulusLength: 512 }).privateKey.export({ format: 'pem', type: 'pkcs8' }),
    );
    const bottom = await issue({ name: 'web', issuer: root, override: { publicKey: weak.publicKey } });
    expect(verify(bottom, [root])).toMatchObject({
      code: 'x509.verify.weak-key',
      reason: 'certificate CN=web has an RSA key of 512 bits, which proves nothing',
    });
  });

  test('SHA-1 proves nothing', async () => {
    const { key } = root;
    const sha1 = writeDer((writer) => writer.sequence(() => writer.oid(oids.ecdsaWithSha1)));
    const old = await buildCertificate(
      {
        ...leaf.certificate,
        issuer: root.certificate.subject,
        publicKey: leaf.key.publicKey,
        serial: Buffer.from([1]),
        subject: nameOf({ commonName: 'old' }),
        notBefore: exampleNow,
        notAfter: exampleNow + dayMs,
        extensions: [],
      },
      { publicKey: key.publicKey, algorithm: sha1, sign: (bytes) => sign('sha1', bytes, key.key) },
    );
    expect(verify({ certificate: old, key: leaf.key }, [root])).toMatchObject({
      code: 'x509.verify.algorithm',
      reason: 'certificate CN=old is signed with ECDSA-SHA1, which proves nothing',
    });
  });

  test('not its issuer any more, once a bit of it has changed', () => {
    const { der, serial } = leaf.certificate;
    const changed = Buffer.from(der);
    changed[changed.indexOf(serial) + 5]! ^= 1;
    const certificate = readCertificate(changed);
    expect(verify({ certificate, key: leaf.key }, [root], [intermediate])).toMatchObject({
      code: 'x509.verify.signature',
    });
  });
});

describe('several ways up', () => {
  test('a trust anchor that is being replaced: old and new root, cross-signed both ways', async () => {
    const next = await issue({ name: 'root 2027', ca: true });
    const crossUp = await issue({ name: 'root 2027', ca: true, key: next.key, issuer: root });
    const crossDown = await issue({
      name: 'root.linkerd.cluster.local',
      ca: true,
      key: root.key,
      issuer: next,
    });
    const newLeaf = await issue({ name: 'new', issuer: next });
    const everything = [intermediate, crossUp, crossDown, next, root];
    for (const [bottom, trusted] of [
      [leaf, root],
      [leaf, next],
      [newLeaf, root],
      [newLeaf, next],
    ] as const) {
      for (const pool of [everything, everything.toReversed()]) {
        expect(verify(bottom, [trusted], pool)).toMatchObject({ valid: true });
      }
    }
    expect(verify(newLeaf, [], everything)).toMatchObject({ valid: false });
  });

  test('a dead end is left again, in whatever order the certificates come', async () => {
    const expired = await issue({
      name: intermediate.certificate.subject.rdns[0]![0]!.value,
      ca: true,
      key: intermediate.key,
      issuer: root,
      override: { notAfter: exampleNow - 1_000 },
    });
    expect(verify(leaf, [root], [expired, intermediate])).toMatchObject({ valid: true });
    expect(verify(leaf, [root], [intermediate, expired])).toMatchObject({ valid: true });
    expect(verify(leaf, [root], [expired])).toMatchObject({ code: 'x509.verify.expired' });
  });

  test('a web of CAs of one name that all sign each other ends at the limit of signatures', async () => {
    const keys = Array.from({ length: 6 }, () => generateKey({ type: 'ec', curve: 'P-256' }, systemEntropy));
    const pool: Authority[] = [];
    for (const key of keys) {
      for (const issuerKey of keys) {
        const issuer = { ...(await issue({ name: 'web of cas', ca: true, key: issuerKey })), key: issuerKey };
        pool.push(await issue({ name: 'web of cas', ca: true, key, issuer }));
      }
    }
    const bottom = await issue({ name: 'web', issuer: pool[0]! });
    const lost = await issue({ name: 'lost', ca: true });
    expect(verify(bottom, [lost], pool)).toMatchObject({ code: 'x509.verify.budget' });
  });
});

test('the host and the purpose are those of the leaf', () => {
  expect(verify(leaf, [root], [intermediate], { dnsName: 'other.example.com' })).toMatchObject({
    code: 'x509.verify.host-name',
    reason: expect.stringContaining('it is for web.emojivoto.serviceaccount.identity.linkerd'),
  });
  expect(verify(intermediate, [root], [], { dnsName: 'identity.linkerd.cluster.local' })).toMatchObject({
    reason: expect.stringContaining('it has no DNS name or IP address'),
  });
});

test('a malformed extension is a reason, not an error', async () => {
  const broken = { oid: oids.extendedKeyUsage, critical: false, value: Buffer.from('05ff', 'hex') };
  const ca = await issue({ name: 'broken', ca: true, issuer: root, extensions: [broken] });
  expect(
    verify(await issue({ name: 'web', issuer: ca }), [root], [ca], { usage: 'server auth' }),
  ).toMatchObject({
    code: 'x509.verify.malformed',
    reason: expect.stringContaining('certificate CN=broken cannot be judged'),
  });
});

test('critical policies are followed whatever they are, as long as every qualifier is understood', async () => {
  const policies = (qualifier: string, critical: boolean) => ({
    oid: oids.certificatePolicies,
    critical,
    value: writeDer((writer) =>
      writer.sequence(() =>
        writer.sequence(() =>
          writer
            .oid('1.2.3.4')
            .sequence(() => writer.sequence(() => writer.oid(qualifier).text(tags.ia5String, 'http://cps'))),
        ),
      ),
    ),
  });
  for (const [extension, valid] of [
    [policies(oids.cpsQualifier, true), true],
    [policies('1.2.3', false), true],
    [policies('1.2.3', true), false],
  ] as const) {
    const bottom = await issue({ name: 'web', issuer: root, extensions: [extension] });
    expect(verify(bottom, [root])).toMatchObject(
      valid ? { valid } : { code: 'x509.verify.critical-extension' },
    );
  }
});

test('a thousand candidates are looked at, and no more', async () => {
  const ca = await issue({ name: 'ca', ca: true, issuer: root });
  const override = { notAfter: exampleNow - 1_000 };
  const expired = await issue({ name: 'ca', ca: true, issuer: root, key: ca.key, override });
  const bottom = await issue({ name: 'web', issuer: ca });
  const behind = (count: number) => [...Array.from({ length: count }, () => expired), ca];
  expect(verify(bottom, [root], behind(900))).toMatchObject({ valid: true });
  expect(verify(bottom, [root], behind(1_000))).toMatchObject({ valid: false });
});

test('names are compared with constraints so often, and no more, however many CAs have some', async () => {
  const many = {
    oid: oids.nameConstraints,
    critical: true,
    value: writeDer((writer) =>
      writer.sequence(() =>
        writer.wrap(contextConstructed(0), () => {
          for (let index = 0; index < 3_000; index++) {
            writer.sequence(() => writer.text(context(2), `n${index}.test`));
          }
        }),
      ),
    ),
  };
  const ca = await issue({ name: 'ca', ca: true, issuer: root, extensions: [many] });
  const names = Array.from({ length: 100 }, (_, index) => ({
    type: 'dns' as const,
    value: `n${index}.test`,
  }));
  const leafOf = (count: number) =>
    issue({ name: 'web', issuer: ca, override: { extensions: [subjectAltName(names.slice(0, count))] } });
  const stranger = await issue({ name: 'ca', ca: true, key: ca.key, issuer: ca, extensions: [many] });
  expect(verify(await leafOf(40), [root], [ca])).toMatchObject({ valid: true });
  expect(verify(await leafOf(100), [root], [ca])).toMatchObject({ valid: false });
  // What one CA has used up is gone for the next.
  expect(verify(await leafOf(50), [root], [stranger, ca])).toMatchObject({ valid: false });
});
