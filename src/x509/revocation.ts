import { Fault } from '../base/fault.ts';
import type { Certificate } from './certificate.ts';
import { type CertificateList, type RevokedCertificate, readCrlNumber } from './crl.ts';
import { coveredReasons, everyReason, revocationPoints } from './crl-scope.ts';
import { isDsa, isSignedByDsa } from './dsa-signature.ts';
import { findExtension } from './extension.ts';
import { formatTime } from './format-time.ts';
import { comparable, formatName, sameName } from './name.ts';
import { oids } from './oid.ts';
import type { LegacyAlgorithm } from './path-check.ts';
import { type Problem, problem } from './path-problem.ts';
import { verifySignature } from './signature.ts';

export interface RevocationOptions {
  /** Complete and delta lists of any issuer, in any order. */
  lists: readonly CertificateList[];
  /** The instant of judgement, epoch milliseconds. */
  at: number;
  /** Certificates that may have signed lists, besides those of the path. */
  certificates: readonly Certificate[];
  /** Whether a path from `signer` to `anchor` holds, its own revocation included. */
  isTrusted(signer: Certificate, anchor: Certificate): boolean;
  legacyAlgorithms: readonly LegacyAlgorithm[];
  /** Takes one from the signatures that may be verified; false where none is left. */
  spend(): boolean;
}

/** Extensions of lists that are acted on here. */
const known = new Set<string>([oids.issuingDistributionPoint, oids.deltaCrlIndicator]);

/**
 * Revocation by lists (RFC 5280 section 6.3): a certificate stands when fresh lists, signed by whom it names and
 * under the anchor of its own path, cover every reason and none has it.
 */
export class Revocation {
  readonly #options: RevocationOptions;
  readonly #complete: ReadonlyMap<string, readonly CertificateList[]>;
  readonly #deltas: ReadonlyMap<string, readonly CertificateList[]>;
  readonly #signers: ReadonlyMap<string, readonly Certificate[]>;
  /** By certificate and anchor. While a signer is being judged, it counts as trusted: it may vouch for itself. */
  readonly #trusted = new Map<string, boolean>();

  constructor(options: RevocationOptions) {
    this.#options = options;
    const usable = options.lists.filter((list) => isUsable(list, options.at));
    const [deltas, complete] = [usable.filter(isDelta), usable.filter((list) => !isDelta(list))];
    const byIssuer = (lists: readonly CertificateList[]) =>
      Map.groupBy(lists, ({ issuer }) => comparable(issuer));
    this.#complete = byIssuer(complete);
    this.#deltas = byIssuer(deltas);
    this.#signers = Map.groupBy(options.certificates, ({ subject }) => comparable(subject));
  }

  /** What is wrong with a path, leaf first and anchor last; the anchor is beyond revocation. */
  problem(path: readonly Certificate[]): Problem | undefined {
    for (const [index, certificate] of path.slice(0, -1).entries()) {
      const found = this.#problemOf(certificate, path.slice(index + 1));
      if (found) return found;
    }
    return undefined;
  }

  #problemOf(certificate: Certificate, above: readonly Certificate[]): Problem | undefined {
    let covered = 0;
    for (const point of revocationPoints(certificate)) {
      const issuers = point.crlIssuer?.flatMap((one) => (one.type === 'directory' ? [one.value] : [])) ?? [
        certificate.issuer,
      ];
      for (const list of issuers.flatMap((issuer) => this.#complete.get(comparable(issuer)) ?? [])) {
        const reasons = coveredReasons(list, point, certificate);
        if ((reasons & ~covered) === 0 || !this.#isAuthentic(list, above)) continue;
        const entry = this.#entryOf(certificate, list, above);
        if (entry) return revoked(certificate, entry);
        covered |= reasons;
      }
      if (covered === everyReason) return undefined;
    }
    return problem(
      'revocation-unknown',
      certificate,
      `may have been revoked: no valid revocation list of ${formatName(certificate.issuer)} tells`,
    );
  }

  /** The newest word of a list and the deltas on it (RFC 5280 section 6.3.3 (c, i, j, k)). */
  #entryOf(
    certificate: Certificate,
    list: CertificateList,
    above: readonly Certificate[],
  ): RevokedCertificate | undefined {
    const newest = (this.#deltas.get(comparable(list.issuer)) ?? [])
      .filter((delta) => continues(delta, list))
      .toSorted((a, b) => (a.number! < b.number! ? 1 : -1))
      .find((delta) => this.#isAuthentic(delta, above));
    const entry = (newest && findEntry(newest, certificate)) ?? findEntry(list, certificate);
    return entry?.reason === 'remove from crl' ? undefined : entry;
  }

  /** Whether somebody signed it who bears the issuer's name, may sign lists and is trusted as the path is. */
  #isAuthentic(list: CertificateList, above: readonly Certificate[]): boolean {
    const anchor = above.at(-1)!;
    const inPath = above.flatMap((signer, index) =>
      sameName(signer.subject, list.issuer) ? [above.slice(index)] : [],
    );
    const others = this.#signers.get(comparable(list.issuer)) ?? [];
    return (
      inPath.some((signers) => this.#signed(list, signers)) ||
      others.some((signer) => this.#signed(list, [signer]) && this.#isTrusted(signer, anchor))
    );
  }

  /** Whether the first of `signers`, which the others lead up from, may sign lists and signed this one. */
  #signed(list: CertificateList, signers: readonly Certificate[]): boolean {
    const signer = signers[0]!;
    const { signatureAlgorithm: algorithm, tbs: bytes, signature } = list;
    try {
      const { keyUsage } = signer;
      if (keyUsage && !keyUsage.includes('crl sign')) return false;
      if (!this.#options.spend()) return false;
      if (this.#options.legacyAlgorithms.includes('DSA') && isDsa(signer))
        return isSignedByDsa(list, signers);
      const { publicKey } = signer;
      return verifySignature({ algorithm, bytes, signature, publicKey });
    } catch (error) {
      if (error instanceof Fault) return false;
      throw error;
    }
  }

  #isTrusted(signer: Certificate, anchor: Certificate): boolean {
    const key = `${signer.der.toString('latin1')} ${anchor.der.toString('latin1')}`;
    const judged = this.#trusted.get(key);
    if (judged !== undefined) return judged;
    this.#trusted.set(key, true);
    const trusted = this.#options.isTrusted(signer, anchor);
    this.#trusted.set(key, trusted);
    return trusted;
  }
}

/** Fresh (RFC 5280 section 5.1.2.5 makes the next update a must), and nothing critical in it is unknown. */
function isUsable(list: CertificateList, at: number): boolean {
  const { thisUpdate, nextUpdate, extensions, revoked: entries } = list;
  if (nextUpdate === undefined || at < thisUpdate || at > nextUpdate) return false;
  if (extensions.some(({ oid, critical }) => critical && !known.has(oid))) return false;
  return !entries.some(({ unknownCritical }) => unknownCritical !== undefined);
}

function isDelta({ extensions }: CertificateList): boolean {
  return findExtension(extensions, oids.deltaCrlIndicator) !== undefined;
}

/** Whether a delta tells what has changed since `list` (RFC 5280 section 5.2.4). */
function continues(delta: CertificateList, list: CertificateList): boolean {
  const indicator = findExtension(delta.extensions, oids.deltaCrlIndicator)!;
  if (list.number === undefined || delta.number === undefined) return false;
  if (readCrlNumber(indicator.value) > list.number || delta.number < list.number) return false;
  const same = (a: Buffer | undefined, b: Buffer | undefined) => (a && b ? a.equals(b) : a === b);
  const scope = ({ extensions }: CertificateList) =>
    findExtension(extensions, oids.issuingDistributionPoint)?.value;
  return same(scope(delta), scope(list)) && same(delta.authorityKeyId, list.authorityKeyId);
}

/** An entry is about the issuer last named before it, at first the list's own (RFC 5280 section 5.3.3). */
function findEntry(list: CertificateList, certificate: Certificate): RevokedCertificate | undefined {
  let ours = sameName(list.issuer, certificate.issuer);
  for (const entry of list.revoked) {
    if (entry.certificateIssuer) {
      ours = entry.certificateIssuer.some(
        (one) => one.type === 'directory' && sameName(one.value, certificate.issuer),
      );
    }
    if (ours && entry.serial.equals(certificate.serial)) return entry;
  }
  return undefined;
}

function revoked(certificate: Certificate, { revokedAt, reason }: RevokedCertificate): Problem {
  const why = reason && reason !== 'unspecified' ? ` (${reason})` : '';
  return problem('revoked', certificate, `has been revoked at ${formatTime(revokedAt)}${why}`);
}
