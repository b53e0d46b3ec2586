import { type Authority, openAuthority } from '../../src/authority/authority.ts';
import type { RootRequest } from '../../src/authority/ca-issuing.ts';
import type { RemoteKeys } from '../../src/authority/issuer.ts';
import { dayMs } from '../../src/base/duration.ts';
import { seededEntropy } from '../../src/base/entropy.ts';
import { ManualClock } from '../../src/base/manual-clock.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { Store } from '../../src/store/store.ts';
import { buildCertificate, type Certificate, newSerial } from '../../src/x509/certificate.ts';
import { generateKey } from '../../src/x509/key.ts';
import { nameOf } from '../../src/x509/name.ts';
import { buildRequest } from '../../src/x509/request.ts';
import { signerOf } from '../../src/x509/signature.ts';

const asked = {
  subject: {},
  excludeCommonName: false,
  altNames: [],
  ipSans: [],
  uriSans: [],
  otherSans: [],
  validity: { ttlMs: 90 * dayMs, backdateMs: 30_000 },
  maxPathLength: undefined,
  permittedDnsDomains: [],
  keyUsage: [],
  subjectKeyId: undefined,
  hash: undefined,
};

export interface AuthorityFixture {
  store: Store;
  clock: ManualClock;
  authority: Authority;
  /** Another over the same store, as on another node or after a restart. */
  open(): Promise<Authority>;
  root(commonName: string, more?: Partial<RootRequest>): ReturnType<Authority['generateRoot']>;
  /** A certificate of the default issuer that the authority keeps. */
  sign(commonName: string, ttlMs?: number): Promise<Certificate>;
  /** One that an issuer's key signed without the authority keeping it. */
  signAside(options?: { serial?: Buffer; ttlMs?: number; issuer?: string }): Promise<Certificate>;
}

export const fixturePrefix = 'data/x/';

/** An authority with a root, over a memory store and a clock that stands still. */
export async function authorityFixture(
  seed: string,
  store: Store = memoryStore(),
  remoteKeys?: RemoteKeys,
): Promise<AuthorityFixture> {
  const entropy = seededEntropy(seed);
  const clock = new ManualClock();
  const guardKey = 'mount';
  const revision = await store.commit({ puts: [{ key: guardKey, value: Buffer.from('') }] });
  const open = () =>
    openAuthority({
      store,
      prefix: fixturePrefix,
      clock,
      entropy,
      limits: () => ({ defaultTtlMs: 32 * dayMs, maxTtlMs: 90 * dayMs }),
      guard: () => ({ key: guardKey, revision }),
      ...(remoteKeys ? { remoteKeys } : {}),
    });
  const authority = await open();
  const key = generateKey({ type: 'ec', curve: 'P-256' }, entropy);
  const root: AuthorityFixture['root'] = (commonName, more) =>
    authority.generateRoot({
      ...asked,
      commonName,
      key: { generate: { type: 'ec', curve: 'P-256' } },
      issuerName: '',
      keyName: '',
      ...more,
    });
  await root('root');
  return {
    store,
    clock,
    authority,
    open,
    root,
    async sign(commonName, ttlMs = 30 * dayMs) {
      const csr = await buildRequest({ subject: nameOf({ commonName }), extensions: [] }, signerOf(key));
      const request = {
        ...asked,
        commonName,
        useCsrValues: false,
        beyondIssuer: 'truncate' as const,
        validity: { ttlMs, backdateMs: 30_000 },
      };
      return (await authority.signIntermediate('default', request, csr)).certificate;
    },
    signAside({ serial = newSerial(entropy), ttlMs = 10 * dayMs, issuer = 'default' } = {}) {
      const { certificate, keyId } = authority.issuer(issuer);
      const template = {
        serial,
        issuer: certificate.subject,
        subject: nameOf({ commonName: 'aside' }),
        notBefore: clock.now(),
        notAfter: clock.now() + ttlMs,
        publicKey: key.publicKey,
        extensions: [],
      };
      return buildCertificate(template, signerOf(authority.key(keyId!).privateKey));
    },
  };
}
