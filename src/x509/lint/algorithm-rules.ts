import { tags } from '../der-tag.ts';
import { oids } from '../oid.ts';
import type { SpecimenAlgorithm } from './specimen.ts';

/** RSA's PKCS #1 v1.5, whose parameters are NULL (RFC 4055 section 5). */
export const rsaSignatures: readonly string[] = [
  oids.md5WithRsa,
  oids.sha1WithRsa,
  oids.sha256WithRsa,
  oids.sha384WithRsa,
  oids.sha512WithRsa,
  '1.2.840.113549.1.1.14',
];

export function hasNull({ parameters }: SpecimenAlgorithm): boolean {
  return parameters?.tag === tags.null && parameters.content.length === 0;
}
