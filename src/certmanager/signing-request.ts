import { Fault } from '../base/fault.ts';
import { tags, writeDer } from '../x509/der.ts';
import { type Extension, extendedKeyUsage, keyUsage, subjectAltName } from '../x509/extension.ts';
import type { GeneralName } from '../x509/general-name.ts';
import type { PrivateKey } from '../x509/key.ts';
import { type Name, nameOf } from '../x509/name.ts';
import { encodePem } from '../x509/pem.ts';
import { buildRequest } from '../x509/request.ts';
import { type Signer, signerOf } from '../x509/signature.ts';
import { parseDistinguishedName } from './distinguished-name.ts';
import type { CertificateSpec } from './kinds.ts';
import { nameConstraints } from './name-constraints.ts';
import { canonicalIp } from './subject-names.ts';
import { usagesOf } from './usage.ts';

export interface RequestTemplate {
  subject: Name;
  extensions: readonly Extension[];
}

/**
 * What a Certificate asks of its CA: subject, alternative names (critical where there is no subject), usages unless
 * encodeUsagesInRequest is false, name constraints. Like upstream's, it holds no basicConstraints: isCA is the
 * issuer's to know.
 *
 * @throws Fault `certmanager.request.nameless`, `certmanager.subject`, `certmanager.usage`, `x509.general-name`,
 *   `certmanager.name-constraints`
 */
export function requestTemplate(spec: CertificateSpec): RequestTemplate {
  const subject = subjectOf(spec);
  const names = alternativeNames(spec);
  if (names.length === 0 && subject.rdns.length === 0) {
    throw new Fault(
      'at least one of commonName (from the commonName field or from a literalSubject), dnsNames, emailSANs, ipAddresses, otherNames, or uriSANs must be set',
      { code: 'certmanager.request.nameless', blame: 'caller' },
    );
  }
  const encodesUsages = spec.encodeUsagesInRequest ?? true;
  const usages = usagesOf(spec.usages, spec.isCA);
  return {
    subject,
    extensions: [
      ...(names.length > 0 ? [subjectAltName(names, subject.rdns.length === 0)] : []),
      ...(encodesUsages && usages.keyUsages.length > 0 ? [keyUsage(usages.keyUsages)] : []),
      ...(encodesUsages && usages.extendedKeyUsages.length > 0
        ? [extendedKeyUsage(usages.extendedKeyUsages)]
        : []),
      ...nameConstraints(spec.nameConstraints),
    ],
  };
}

/** The request itself, signed with the key it is for; PEM. */
export async function signingRequest(spec: CertificateSpec, key: PrivateKey): Promise<string> {
  const { subject, extensions } = requestTemplate(spec);
  const request = await buildRequest({ subject, extensions }, requestSigner(spec, key));
  return encodePem('CERTIFICATE REQUEST', request.der);
}

function requestSigner({ signatureAlgorithm }: CertificateSpec, key: PrivateKey): Signer {
  const [, bits] = /(?:SHA)(256|384|512)/.exec(signatureAlgorithm ?? '') ?? [];
  return bits === undefined ? signerOf(key) : signerOf(key, `SHA-${bits as '256' | '384' | '512'}`);
}

function subjectOf({ literalSubject, commonName, subject = {} }: CertificateSpec): Name {
  if (literalSubject) return parseDistinguishedName(literalSubject);
  return nameOf({
    country: subject.countries ?? [],
    organization: subject.organizations ?? [],
    organizationalUnit: subject.organizationalUnits ?? [],
    locality: subject.localities ?? [],
    province: subject.provinces ?? [],
    streetAddress: subject.streetAddresses ?? [],
    postalCode: subject.postalCodes ?? [],
    serialNumber: subject.serialNumber ?? '',
    commonName: commonName ?? '',
  });
}

/** In the order that Go's X.509 writes them. */
function alternativeNames(spec: CertificateSpec): GeneralName[] {
  return [
    ...(spec.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(spec.emailAddresses ?? []).map((value) => ({ type: 'email' as const, value })),
    ...(spec.ipAddresses ?? []).map((value) => ({ type: 'ip' as const, value: canonicalIp(value) })),
    ...(spec.uris ?? []).map((value) => ({ type: 'uri' as const, value })),
    ...(spec.otherNames ?? []).map(({ oid = '', utf8Value = '' }) => ({
      type: 'other' as const,
      oid,
      value: writeDer((writer) => writer.text(tags.utf8String, utf8Value)),
    })),
  ];
}
