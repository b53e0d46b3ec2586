import { parseDuration } from '../base/duration.ts';
import type { Certificate as X509Certificate } from '../x509/certificate.ts';
import { readRequestPem, type CertificateRequest as X509Request } from '../x509/request.ts';
import { parseDistinguishedName } from './distinguished-name.ts';
import { type CertificateRequest, type CertificateSpec, sameIssuer } from './kinds.ts';
import { namesIn, namesWanted, type SubjectNames, sameItems } from './subject-names.ts';

/** The PKCS #10 request that a CertificateRequest carries. */
export function requestIn({ spec }: CertificateRequest): X509Request {
  return readRequestPem(Buffer.from(spec.request, 'base64').toString('utf8'));
}

const subjectLists = [
  ['organizations', 'spec.subject.organizations'],
  ['countries', 'spec.subject.countries'],
  ['localities', 'spec.subject.localities'],
  ['organizationalUnits', 'spec.subject.organizationalUnits'],
  ['postalCodes', 'spec.subject.postCodes'],
  ['provinces', 'spec.subject.provinces'],
  ['streetAddresses', 'spec.subject.streetAddresses'],
] as const satisfies readonly (readonly [keyof SubjectNames, string])[];

const alternativeLists = [
  ['ipAddresses', 'spec.ipAddresses'],
  ['uris', 'spec.uris'],
  ['emailAddresses', 'spec.emailAddresses'],
  ['dnsNames', 'spec.dnsNames'],
] as const satisfies readonly (readonly [keyof SubjectNames, string])[];

/**
 * The fields of a Certificate's spec that a CertificateRequest no longer matches, in upstream's order and spelling.
 * The duration counts only where both give one; the issuer's kind and group with their defaults; name constraints
 * not at all, as upstream has it.
 *
 * @throws Fault `x509.*` where the request, `certmanager.subject` where the literal subject, cannot be read
 */
export function requestMismatches(request: CertificateRequest, spec: CertificateSpec): string[] {
  const x509 = requestIn(request);
  const [held, wanted] = [namesIn(x509), namesWanted(spec)];
  const differing = (lists: readonly (readonly [keyof SubjectNames, string])[]) =>
    lists
      .filter(([key]) => !sameItems(held[key] as readonly string[], wanted[key] as readonly string[]))
      .map(([, field]) => field);
  return [
    ...differing(alternativeLists),
    ...(spec.otherNames && !sameItems(held.otherNames, wanted.otherNames) ? ['spec.otherNames'] : []),
    ...(spec.literalSubject
      ? literalMismatch(x509, spec.literalSubject)
      : [
          ...(held.commonName === wanted.commonName ? [] : ['spec.commonName']),
          ...(held.serialNumber === wanted.serialNumber ? [] : ['spec.subject.serialNumber']),
          ...differing(subjectLists),
        ]),
    ...((request.spec.isCA ?? false) === (spec.isCA ?? false) ? [] : ['spec.isCA']),
    ...(sameItems(request.spec.usages, spec.usages) ? [] : ['spec.usages']),
    ...(sameDuration(request.spec.duration, spec.duration) ? [] : ['spec.duration']),
    ...(sameIssuer(request.spec.issuerRef, spec.issuerRef) ? [] : ['spec.issuerRef']),
  ];
}

function literalMismatch({ subject }: X509Request, literal: string): string[] {
  return parseDistinguishedName(literal).der.equals(subject.der) ? [] : ['spec.literalSubject'];
}

function sameDuration(one: string | undefined, other: string | undefined): boolean {
  return one === undefined || other === undefined || parseDuration(one) === parseDuration(other);
}

/**
 * The fields of a spec that an issued certificate does not match, where the request that led to it is gone: names
 * may have moved between the common name and the DNS names, since CAs do that.
 */
export function certificateMismatches(certificate: X509Certificate, spec: CertificateSpec): string[] {
  const [held, wanted] = [namesIn(certificate), namesWanted(spec)];
  const heldDns = new Set(held.dnsNames);
  const wantedDns = new Set(wanted.dnsNames);
  if (held.commonName) heldDns.add(held.commonName);
  if (wanted.commonName) wantedDns.add(wanted.commonName);
  const commonName =
    (wanted.commonName && !heldDns.has(wanted.commonName)) ||
    (held.commonName && !wantedDns.has(held.commonName));
  const dnsNames =
    wanted.dnsNames.some((name) => !heldDns.has(name)) || held.dnsNames.some((name) => !wantedDns.has(name));
  return [
    ...(commonName ? ['spec.commonName'] : []),
    ...(dnsNames ? ['spec.dnsNames'] : []),
    ...(sameItems(held.ipAddresses, wanted.ipAddresses) ? [] : ['spec.ipAddresses']),
    ...(sameItems(held.uris, wanted.uris) ? [] : ['spec.uris']),
    ...(sameItems(held.emailAddresses, wanted.emailAddresses) ? [] : ['spec.emailAddresses']),
  ];
}
