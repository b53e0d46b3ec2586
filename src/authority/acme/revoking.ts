import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { type Certificate, readCertificate, serialText } from '../../x509/certificate.ts';
import { type RevocationReason, reasonNumbers } from '../../x509/crl.ts';
import type { Authority } from '../authority.ts';
import { storedSerial } from '../ledger.ts';
import type { Account } from './accounts.ts';
import type { AcmeStore } from './acme-store.ts';
import { type Authorization, authorizationStatus } from './authorization.ts';
import type { AccountKey } from './jwk.ts';
import { decodeBase64Url } from './jws.ts';
import type { CertificateRecord } from './order.ts';
import type { Orders } from './orders.ts';
import { malformed, Problem, unauthorized } from './problem.ts';

/** Who asks: an account, or whoever holds the key of the certificate. */
export type Revoker = { account: Account } | { key: AccountKey };

export interface Revoking {
  /**
   * RFC 8555 section 7.6.
   *
   * @throws Problem `malformed`, `unauthorized`, `alreadyRevoked`, `badRevocationReason`
   */
  revoke(by: Revoker, payload: Readonly<Record<string, unknown>>): Promise<void>;
}

export function revoking({
  store,
  clock,
  orders,
  authority,
}: {
  store: AcmeStore;
  clock: Clock;
  orders: Pick<Orders, 'authorizations'>;
  authority: Pick<Authority, 'certificate' | 'revocations'>;
}): Revoking {
  async function mayRevoke(by: Revoker, certificate: Certificate): Promise<boolean> {
    if ('key' in by) return by.key.spki.equals(certificate.spki);
    const serial = storedSerial(serialText(certificate.serial));
    const record = await store.read<CertificateRecord>(store.at.certificate(serial));
    if (record?.value.accountId === by.account.id) return true;
    return provesAll(certificate, await orders.authorizations(by.account.id), clock.now());
  }

  return {
    async revoke(by, payload) {
      const certificate = readGiven(payload.certificate);
      const reason = readReason(payload.reason);
      const kept = await authority.certificate(serialText(certificate.serial));
      if (!kept?.der.equals(certificate.der)) throw malformed('there is no such certificate');
      if (!(await mayRevoke(by, kept))) throw unauthorized('the certificate is not of whoever asks');
      try {
        const { already } = await authority.revocations.revoke(kept, reason ? { reason } : {});
        if (already) throw new Problem('alreadyRevoked', 'the certificate is revoked already');
      } catch (error) {
        const refusal =
          error instanceof Fault && error.blame === 'caller' && error.code.startsWith('authority.');
        throw refusal ? malformed(error.message, error) : error;
      }
    },
  };
}

/** Whether an account's proofs that hold today are for all names of a certificate. */
export function provesAll(
  { subjectAltNames: names }: Pick<Certificate, 'subjectAltNames'>,
  authorizations: readonly Authorization[],
  nowMs: number,
): boolean {
  const proven = new Set(
    authorizations
      .filter((one) => authorizationStatus(one, nowMs) === 'valid')
      .map(({ identifier: { type, value }, wildcard }) => `${type}:${wildcard ? '*.' : ''}${value}`),
  );
  return (
    names.length > 0 &&
    names.every(
      (name) => typeof name.value === 'string' && proven.has(`${name.type}:${name.value.toLowerCase()}`),
    )
  );
}

function readGiven(value: unknown): Certificate {
  if (typeof value !== 'string') throw malformed('there is no certificate');
  try {
    return readCertificate(decodeBase64Url(value, 'the certificate'));
  } catch (error) {
    if (error instanceof Problem || !(error instanceof Fault)) throw error;
    throw malformed(error.message, error);
  }
}

/** What concerns a CA, or is no revocation for good, is not for a subscriber to say. */
const notTheirs: ReadonlySet<RevocationReason> = new Set([
  'ca compromise',
  'certificate hold',
  'remove from crl',
  'aa compromise',
]);

function readReason(value: unknown): RevocationReason | undefined {
  if (value === undefined) return undefined;
  const found = Object.entries(reasonNumbers).find(([, number]) => number === value)?.[0] as
    | RevocationReason
    | undefined;
  if (!found || notTheirs.has(found)) {
    throw new Problem(
      'badRevocationReason',
      `${JSON.stringify(value)} is not a reason that subscribers may give`,
    );
  }
  // Lists leave it out (RFC 5280 section 5.3.1).
  return found === 'unspecified' ? undefined : found;
}
