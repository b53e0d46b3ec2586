import * as fc from 'fast-check';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { dayMs } from '../base/duration.ts';
import { seededEntropy } from '../base/entropy.ts';
import { Fault } from '../base/fault.ts';
import { ManualClock } from '../base/manual-clock.ts';
import { memoryStore } from '../store/memory.ts';
import { buildCertificate, certificatePem } from '../x509/certificate.ts';
import { basicConstraints, keyUsage } from '../x509/extension.ts';
import { generateKey, type KeySpec, writePrivateKey } from '../x509/key.ts';
import { nameOf } from '../x509/name.ts';
import { signerOf } from '../x509/signature.ts';
import { type Authority, openAuthority } from './authority.ts';

const entropy = seededEntropy('import');
const kinds: readonly KeySpec[] = [
  { type: 'ec', curve: 'P-256' },
  { type: 'ec', curve: 'P-384' },
  { type: 'ed25519' },
];

interface Ca {
  certificate: string;
  key: string;
}
let cas: Ca[];
/** The key of the first, certified once more. */
let twin: string;

beforeAll(async () => {
  const made = kinds.map((kind) => generateKey(kind, entropy));
  const certify = async (index: number, serial: number) => {
    const subject = nameOf({ commonName: `root ${index}` });
    const key = made[index]!;
    const extensions = [keyUsage(['cert sign', 'crl sign']), basicConstraints({ ca: true })];
    const validity = { notBefore: 0, notAfter: 10 * dayMs };
    const template = { serial: Buffer.of(serial), issuer: subject, subject, ...validity };
    return certificatePem(
      await buildCertificate({ ...template, publicKey: key.publicKey, extensions }, signerOf(key)),
    );
  };
  cas = await Promise.all(
    made.map(async (key, index) => ({
      certificate: await certify(index, 1),
      key: writePrivateKey(key, index % 2 === 0 ? 'pkcs8' : 'traditional'),
    })),
  );
  twin = await certify(0, 2);
});

const open = async (): Promise<Authority> => {
  const store = memoryStore();
  const revision = await store.commit({ puts: [{ key: 'mount', value: Buffer.alloc(0) }] });
  return openAuthority({
    store,
    prefix: 'x/',
    clock: new ManualClock(),
    entropy,
    limits: () => ({ defaultTtlMs: dayMs, maxTtlMs: 90 * dayMs }),
    guard: () => ({ key: 'mount', revision }),
  });
};
let authority: Authority;
beforeEach(async () => {
  authority = await open();
});

const pemOf = (issuerId: string) => certificatePem(authority.issuer(issuerId).certificate);

test('parts find each other whatever order they come in, in one bundle or in several', async () => {
  const parts = [...cas.flatMap(({ certificate, key }) => [certificate, key]), twin];
  const bundles = fc
    .shuffledSubarray(parts, { minLength: 1 })
    .chain((chosen) =>
      fc
        .array(fc.boolean(), { minLength: chosen.length, maxLength: chosen.length })
        .map((cuts) => ({ chosen, cuts })),
    );
  await fc.assert(
    fc.asyncProperty(bundles, async ({ chosen, cuts }) => {
      authority = await open();
      let bundle = '';
      for (const [index, part] of chosen.entries()) {
        bundle += `text\n${part}`;
        if (!cuts[index] && index < chosen.length - 1) continue;
        await authority.importBundle(bundle, { keysAllowed: true });
        bundle = '';
      }
      const certificates = chosen.filter((part) => part.includes('BEGIN CERTIFICATE'));
      expect(new Set(authority.issuers().map(({ id }) => pemOf(id)))).toEqual(new Set(certificates));
      expect(authority.keys()).toHaveLength(chosen.length - certificates.length);
      for (const { keyId, certificate } of authority.issuers()) {
        const pem = certificatePem(certificate);
        const own = cas.find((ca) => ca.certificate === pem) ?? cas[0]!;
        expect(keyId !== undefined).toBe(chosen.includes(own.key));
        if (keyId) expect(authority.key(keyId).privateKey.publicKey.spki).toEqual(certificate.publicKey.spki);
      }
      // The first that can sign is the default, and there is one as soon as any can.
      const { issuerId, keyId } = authority.defaults();
      const canSign = authority.issuers().some((issuer) => issuer.keyId !== undefined);
      expect(issuerId !== undefined).toBe(canSign);
      if (issuerId) expect(authority.issuer(issuerId).keyId).toBeDefined();
      expect(keyId !== undefined).toBe(authority.keys().length > 0);
    }),
    { numRuns: 60 },
  );
});

test('whatever is sent is taken whole or refused as the caller’s mistake, and then nothing is kept', async () => {
  const { certificate, key } = cas[0]!;
  const damaged = fc
    .tuple(fc.constantFrom(certificate, key, certificate + key), fc.nat(600), fc.string({ maxLength: 4 }))
    .map(([text, at, junk]) => text.slice(0, at) + junk + text.slice(at + junk.length));
  await fc.assert(
    fc.asyncProperty(fc.oneof(damaged, fc.string()), async (pem) => {
      authority = await open();
      try {
        await authority.importBundle(pem, { keysAllowed: true });
      } catch (error) {
        expect(error).toBeInstanceOf(Fault);
        expect((error as Fault).blame).toBe('caller');
        expect([authority.issuers().length, authority.keys().length]).toEqual([0, 0]);
      }
    }),
    { numRuns: 300 },
  );
});

test('a key of which a part was changed is refused, and the refusal holds nothing of it', async () => {
  const { key } = cas[1]!;
  const body = key.split('\n')[1]!;
  for (const [broken, message] of [
    [`${body.slice(0, 40)}AAAA${body.slice(44)}`, 'does not belong to the public key that stands beside it'],
    [`AAAA${body.slice(4)}`, 'the private key is not valid'],
  ] as const) {
    const refusal = await authority
      .importBundle(key.replace(body, broken), { keysAllowed: true })
      .then(() => '', String);
    expect(refusal).toContain(message);
    expect(refusal).not.toContain(body.slice(8, 20));
  }
  expect(authority.keys()).toEqual([]);
});

test('two that import at once lose nothing of each other', async () => {
  const [one, two, three] = cas as [Ca, Ca, Ca];
  await Promise.all([
    authority.importBundle(one.certificate + one.key, { keysAllowed: true }),
    authority.importBundle(two.certificate, { keysAllowed: true }),
    authority.importKey(two.key, 'two'),
    authority.importBundle(three.key + three.certificate, { keysAllowed: true }),
    authority.importBundle(one.key + twin, { keysAllowed: true }),
  ]);
  expect(authority.issuers()).toHaveLength(4);
  expect(authority.keys()).toHaveLength(3);
  expect(authority.issuers().every(({ keyId }) => keyId !== undefined)).toBe(true);
  expect(authority.key('two').privateKey.spec).toEqual(kinds[1]);
});
