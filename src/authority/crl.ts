import type { Clock } from '../base/clock.ts';
import { hourMs } from '../base/duration.ts';
import { Fault } from '../base/fault.ts';
import type { Store } from '../store/store.ts';
import { buildCrl } from '../x509/crl.ts';
import { keyIdentifier } from '../x509/key.ts';
import { signerOf } from '../x509/signature.ts';
import type { CaKey, Issuer } from './issuer.ts';
import { revocationHash } from './revocation-algorithm.ts';

/** How long a CRL is good for, and how long before its end a new one is made: Vault's expiry and grace period. */
const crlLifetimeMs = 72 * hourMs;
const crlGraceMs = 12 * hourMs;
const attemptLimit = 10;

/** A CRL as the store keeps it. */
interface CrlRecord {
  /** Grows with every CRL of an issuer, and never falls (RFC 5280 section 5.2.3). */
  number: number;
  thisUpdate: number;
  nextUpdate: number;
  /** DER, base64. */
  der: string;
}

export interface CrlKeeperOptions {
  store: Store;
  clock: Clock;
  keyOf: (issuerId: string) => string;
  guard: () => { key: string; revision: number };
}

/**
 * Keeps each issuer's CRL up to date by looking at it when it is asked for: certificates point at it, so it has to be
 * there, signed and current, even while nothing has been revoked.
 */
export function crlKeeper({ store, clock, keyOf, guard }: CrlKeeperOptions) {
  const underWay = new Map<string, Promise<Buffer>>();

  async function currentOrNew(issuer: Issuer, key: CaKey, anew = false): Promise<Buffer> {
    for (let attempt = 1; ; attempt++) {
      const storeKey = keyOf(issuer.id);
      const entry = await store.get(storeKey);
      const record = entry && (JSON.parse(entry.value.toString()) as CrlRecord);
      const now = Math.floor(clock.now() / 1_000) * 1_000;
      if (!anew && record && record.thisUpdate <= now && now < record.nextUpdate - crlGraceMs) {
        return Buffer.from(record.der, 'base64');
      }
      const next = await signCrl(issuer, key, { number: (record?.number ?? 0) + 1, thisUpdate: now });
      try {
        await store.commit({
          expect: [guard(), { key: storeKey, revision: entry?.revision ?? 0 }],
          puts: [{ key: storeKey, value: Buffer.from(JSON.stringify(next)) }],
        });
        return Buffer.from(next.der, 'base64');
      } catch (error) {
        // Another node made one meanwhile: that one is as good.
        if (!(error instanceof Fault && error.code === 'store.conflict') || attempt === attemptLimit)
          throw error;
      }
    }
  }

  return {
    /** One at a time for an issuer, however many ask. */
    current(issuer: Issuer, key: CaKey): Promise<Buffer> {
      const running = underWay.get(issuer.id);
      if (running) return running;
      const made = currentOrNew(issuer, key).finally(() => underWay.delete(issuer.id));
      underWay.set(issuer.id, made);
      return made;
    },
    /** Signs a new one, whatever there is. */
    async renew(issuer: Issuer, key: CaKey): Promise<void> {
      await currentOrNew(issuer, key, true);
    },
  };
}

async function signCrl(
  issuer: Issuer,
  { privateKey }: CaKey,
  { number, thisUpdate }: Pick<CrlRecord, 'number' | 'thisUpdate'>,
): Promise<CrlRecord> {
  const { certificate } = issuer;
  const nextUpdate = thisUpdate + crlLifetimeMs;
  const authorityKeyId = certificate.subjectKeyId ?? keyIdentifier(certificate.publicKey);
  const content = {
    issuer: certificate.subject,
    number,
    thisUpdate,
    nextUpdate,
    revoked: [],
    authorityKeyId,
  };
  const der = await buildCrl(content, signerOf(privateKey, revocationHash(issuer)));
  return { number, thisUpdate, nextUpdate, der: der.toString('base64') };
}
