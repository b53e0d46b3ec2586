import { formatDuration } from '../../base/duration.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { findExtension } from '../../x509/extension.ts';
import type { KeySpec } from '../../x509/key.ts';
import { commonName } from '../../x509/name.ts';
import { readNameConstraints } from '../../x509/name-constraints.ts';
import { oids } from '../../x509/oid.ts';
import { signatureAlgorithm } from '../../x509/signature.ts';
import type { Value } from './value.ts';

/**
 * The parameters that ask for another certificate like `certificate`, by their names in Vault's API. With a
 * `keyRef` the new one is to have that key, and its identifier; else a new key of the same kind.
 */
export function templateOf(certificate: Certificate, keyRef: string | undefined): Record<string, Value> {
  const { subject, subjectAltNames: names, notBefore, notAfter, pathLength = -1 } = certificate;
  const of = (oid: string) => subject.rdns.flat().flatMap((one) => (one.oid === oid ? [one.value] : []));
  const named = (type: 'dns' | 'email' | 'ip' | 'uri') =>
    names.flatMap((name) => (name.type === type ? [name.value] : []));
  const name = commonName(subject) ?? '';
  const alternatives = [...named('dns'), ...named('email')];
  const made = signatureAlgorithm(certificate.signatureAlgorithm);
  return {
    common_name: name,
    alt_names: alternatives.join(','),
    ip_sans: named('ip').join(','),
    uri_sans: named('uri').join(','),
    signature_bits: signatureBits(made?.hash),
    exclude_cn_from_sans: name !== '' && !alternatives.includes(name),
    ou: of(oids.organizationalUnit),
    organization: of(oids.organization),
    country: of(oids.country),
    locality: of(oids.locality),
    province: of(oids.province),
    street_address: of(oids.streetAddress),
    postal_code: of(oids.postalCode),
    serial_number: of(oids.serialNumber)[0] ?? '',
    ttl: formatDuration(notAfter - notBefore),
    max_path_length: pathLength,
    permitted_dns_domains: permittedDomains(certificate).join(','),
    use_pss: made?.padding === 'PSS',
    ...(keyRef === undefined
      ? keyParameters(certificate.publicKey.spec)
      : { skid: certificate.subjectKeyId?.toString('hex') ?? '', key_ref: keyRef }),
  };
}

/** What is given in place of the template's own. */
export function withChanges(
  template: Readonly<Record<string, Value>>,
  changes: Readonly<Record<string, Value>>,
): Record<string, Value> {
  const { ttl, key_bits, ...rest } = template;
  return {
    ...rest,
    // Either says when the new one ends.
    ...(ttl === undefined || 'not_after' in changes ? {} : { ttl }),
    // The size belongs to the kind of key.
    ...(key_bits === undefined || ('key_type' in changes && changes.key_type !== template.key_type)
      ? {}
      : { key_bits }),
    ...changes,
  };
}

/** 0 leaves it open. SHA-1 is not made any more. */
function signatureBits(hash: string | undefined): number {
  return hash === undefined || hash === 'SHA-1' ? 0 : Number(hash.slice('SHA-'.length));
}

function keyParameters(spec: KeySpec): Record<string, Value> {
  const bits = { rsa: 0, ec: 0, ed25519: 0, mldsa: 0 };
  if (spec.type === 'rsa') bits.rsa = spec.bits;
  if (spec.type === 'ec') bits.ec = Number(spec.curve.slice('P-'.length));
  if (spec.type === 'mldsa') bits.mldsa = spec.level;
  return { key_type: spec.type, key_bits: bits[spec.type] };
}

function permittedDomains({ extensions }: Certificate): string[] {
  const extension = findExtension(extensions, oids.nameConstraints);
  if (!extension) return [];
  return readNameConstraints(extension.value).permitted.flatMap((subtree) =>
    subtree.type === 'dns' ? [subtree.value] : [],
  );
}
