import { createHash } from 'node:crypto';
import { type DerReader, readWhole, tags } from './der.ts';
import type { Name } from './name.ts';
import { oids } from './oid.ts';
import { algorithmOid, readAlgorithmIdentifier } from './signature.ts';
import { publicKeyBytes } from './spki.ts';

export type CertIdHash = 'sha1' | 'sha256' | 'sha384' | 'sha512';

const hashes: ReadonlyMap<string, CertIdHash> = new Map([
  [oids.sha1, 'sha1'],
  [oids.sha256, 'sha256'],
  [oids.sha384, 'sha384'],
  [oids.sha512, 'sha512'],
]);

/** Which certificate is asked about (RFC 6960 section 4.1.1). */
export interface CertId {
  /** As it was sent: an answer repeats it. */
  der: Buffer;
  /** Undefined for a hash that nobody here knows. */
  hash: CertIdHash | undefined;
  issuerNameHash: Buffer;
  issuerKeyHash: Buffer;
  /** Content octets of the serial number. */
  serial: Buffer;
}

/** A CertID, which stands in requests and in answers. */
export function readCertId(reader: DerReader): CertId {
  const { der, value } = readWhole(reader, tags.sequence, (inner) => ({
    algorithm: readAlgorithmIdentifier(inner),
    issuerNameHash: inner.octetString(),
    issuerKeyHash: inner.octetString(),
    serial: inner.integer(),
  }));
  const { algorithm, ...rest } = value;
  return { der, hash: hashes.get(algorithmOid(algorithm)), ...rest };
}

/** What a CertID says of an issuer: the hashes of its name and of the bits of its public key. */
export function issuerHashes(
  { subject, spki }: { subject: Name; spki: Buffer },
  hash: CertIdHash,
): Pick<CertId, 'issuerNameHash' | 'issuerKeyHash'> {
  return {
    issuerNameHash: createHash(hash).update(subject.der).digest(),
    issuerKeyHash: createHash(hash).update(publicKeyBytes(spki)).digest(),
  };
}
