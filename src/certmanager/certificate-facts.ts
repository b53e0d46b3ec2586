import { createHash } from 'node:crypto';
import type { Secret } from '../kube/resource.ts';
import type { HeldSecret } from './held-secret.ts';
import { type Certificate, type CertificateRequest, keys } from './kinds.ts';

/** Everything that a decision about a Certificate rests on. */
export interface CertificateFacts {
  certificate: Certificate;
  /** The Secret that it names. */
  secret: HeldSecret | undefined;
  /** The CertificateRequests that it controls. */
  requests: readonly CertificateRequest[];
  /** The Secrets with keys for an issuance under way that it controls. */
  nextKeys: readonly Secret[];
  /** Other Certificates of its namespace that name the same Secret. */
  rivals: readonly Certificate[];
  /** Since when its issuer's CA is known to accept the issuer's token, epoch milliseconds. */
  issuerAuthorizedSinceMs: number | undefined;
}

/** The revision of the issuance under way, or of the next one. */
export function nextRevision({ status }: Certificate): number {
  return (status?.revision ?? 0) + 1;
}

export function revisionOf({ metadata }: CertificateRequest): number | undefined {
  const text = metadata.annotations?.[keys.revision];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** The request that led to what the Secret holds. */
export function currentRequest({ certificate, requests }: CertificateFacts): CertificateRequest | undefined {
  const revision = certificate.status?.revision;
  return revision === undefined ? undefined : requests.find((request) => revisionOf(request) === revision);
}

const longestCertificateName = 233;

/**
 * `<certificate>-<revision>`: the same for whoever computes it, so that an issuance that is taken up again after a
 * crash meets its own request. Names past 233 characters are cut and told apart by a hash of the whole.
 */
export function requestName(certificateName: string, revision: number): string {
  if (certificateName.length <= longestCertificateName) return `${certificateName}-${revision}`;
  const hash = createHash('sha256').update(certificateName).digest('hex');
  const head = certificateName
    .slice(0, longestCertificateName - hash.length - 1)
    .replace(/[^a-zA-Z0-9]+$/, '');
  return `${head}-${hash}-${revision}`;
}

const suffixLetters = 'bcdfghjklmnpqrstvwxz2456789';
const longestSecretName = 253;

/** Name of the Secret with the key of an issuance, the same for whoever computes it. */
export function nextKeyName({ metadata, status }: Certificate): string {
  const seed = `${metadata.uid}/${nextRevision({ status } as Certificate)}`;
  const hash = createHash('sha256').update(seed).digest();
  const suffix = [...hash.subarray(0, 5)].map((byte) => suffixLetters[byte % suffixLetters.length]).join('');
  return `${metadata.name.slice(0, longestSecretName - 6)}-${suffix}`;
}

/**
 * The name of the Certificate that a shared Secret belongs to: the one that the Secret names, else the oldest, else
 * the first by name. The others wait, or they would reissue over each other without end.
 */
export function secretOwner({ certificate, secret, rivals }: CertificateFacts): string {
  const claimants = [certificate, ...rivals].toSorted(
    (a, b) =>
      (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? '') ||
      (a.metadata.name < b.metadata.name ? -1 : 1),
  );
  const named = secret?.object.metadata.annotations?.[keys.certificateName];
  return (
    claimants.find(({ metadata }) => metadata.name === named)?.metadata.name ?? claimants[0]!.metadata.name
  );
}
