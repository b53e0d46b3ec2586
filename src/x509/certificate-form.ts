import type { Certificate } from './certificate.ts';
import {
  findExtension,
  readAuthorityInfoAccess,
  readAuthorityKeyIdentifier,
  readSubjectKeyIdentifier,
} from './extension.ts';
import { sameName } from './name.ts';
import { oids } from './oid.ts';
import type { Check } from './path-check.ts';
import { type Problem, problem } from './path-problem.ts';

/**
 * Rules for the form of certificates that take nothing from what a path proves, so that they are asked for by name:
 * what RFC 5280 lays on conforming CAs, and what the CA/Browser Forum's baseline requirements lay on public ones.
 */
export type CertificateForm = 'rfc5280' | 'web';

/** A rule broken, in words; undefined where it is kept. */
type Rule = (certificate: Certificate, standing: { isLeaf: boolean; anchor: boolean }) => string | undefined;

/** RFC 5280 sections 4.1.2 and 4.2.1; in the order of that text. */
const everywhere: readonly Rule[] = [
  ({ serial }) =>
    serial[0]! >= 0x80 || !serial.some((byte) => byte > 0) ? 'has no positive serial number' : undefined,
  ({ issuer }) => (issuer.rdns.length === 0 ? 'names no issuer' : undefined),
  ({ isCa, subject }) => (isCa && subject.rdns.length === 0 ? 'is a CA without a name' : undefined),
  criticalOnly(oids.authorityKeyIdentifier, false),
  ({ authorityKeyId, subject, issuer, version }) =>
    authorityKeyId || version < 3 || sameName(subject, issuer)
      ? undefined
      : 'does not identify the key of its issuer',
  criticalOnly(oids.subjectKeyIdentifier, false),
  ({ isCa, subjectKeyId }) => (isCa && !subjectKeyId ? 'is a CA that does not identify its key' : undefined),
  ({ isCa, keyUsage }) =>
    !isCa && keyUsage?.includes('cert sign') ? 'may sign certificates, and is no CA' : undefined,
  ({ subject, extensions }) =>
    subject.rdns.length === 0 && findExtension(extensions, oids.subjectAltName)?.critical === false
      ? 'has no name but alternative ones, which are not critical'
      : undefined,
  ({ isCa, extensions }) =>
    isCa && !findExtension(extensions, oids.basicConstraints)!.critical
      ? 'is a CA that does not make that critical'
      : undefined,
  criticalOnly(oids.authorityInfoAccess, false),
  accessDescribed,
];

/** Baseline requirements section 7.1.2. */
const web: readonly Rule[] = [
  rootIdentified,
  ({ extendedKeyUsage }, { anchor, isLeaf }) =>
    anchor && !isLeaf && extendedKeyUsage ? 'is a root whose key usage is extended' : undefined,
  ({ subject, extensions }) =>
    subject.rdns.length > 0 && findExtension(extensions, oids.subjectAltName)?.critical
      ? 'makes its alternative names critical beside its subject'
      : undefined,
  ({ isCa }, { isLeaf }) => (isLeaf && isCa ? 'is a CA certificate, and used as a leaf' : undefined),
  ({ extendedKeyUsage }, { isLeaf }) =>
    isLeaf && (!extendedKeyUsage || extendedKeyUsage.includes(oids.anyExtendedKeyUsage))
      ? 'does not name its purposes'
      : undefined,
  ({ extensions }, { isLeaf }) =>
    isLeaf && findExtension(extensions, oids.extendedKeyUsage)?.critical
      ? 'makes its purposes critical'
      : undefined,
  ({ subjectAltNames }, { isLeaf }) =>
    isLeaf && subjectAltNames.some(({ type, value }) => type === 'dns' && /^\*\.[^.]+$/.test(value))
      ? 'is for every name below a public suffix'
      : undefined,
];

const rules: Readonly<Record<CertificateForm, readonly Rule[]>> = {
  rfc5280: [...everywhere, criticalOnly(oids.nameConstraints, true)],
  web: [...everywhere, ...web],
};

/** That every certificate of the path keeps to the form. */
export function keepsForm(form: CertificateForm): Check {
  return (certificate, { path, anchor }): Problem | undefined => {
    for (const rule of rules[form]) {
      const broken = rule(certificate, { isLeaf: path.length === 0, anchor });
      if (broken !== undefined) return problem('form', certificate, broken);
    }
    return undefined;
  };
}

function criticalOnly(oid: string, critical: boolean): Rule {
  return ({ extensions }) => {
    const extension = findExtension(extensions, oid);
    if (!extension || extension.critical === critical) return undefined;
    return `has extension ${oid}, which must ${critical ? '' : 'not '}be critical`;
  };
}

/** @throws Fault `x509.extension.malformed` */
function accessDescribed({ extensions }: Certificate): undefined {
  const extension = findExtension(extensions, oids.authorityInfoAccess);
  if (extension) readAuthorityInfoAccess(extension.value);
  return undefined;
}

/** A root identifies its issuer's key, if at all, by its own key identifier and by nothing else. */
function rootIdentified(
  { subject, issuer, extensions }: Certificate,
  { anchor }: { anchor: boolean },
): string | undefined {
  const authority = findExtension(extensions, oids.authorityKeyIdentifier);
  if (!anchor || !authority || !sameName(subject, issuer)) return undefined;
  const { keyId, issuer: names, serial } = readAuthorityKeyIdentifier(authority.value);
  const own = findExtension(extensions, oids.subjectKeyIdentifier);
  const same = keyId && own && keyId.equals(readSubjectKeyIdentifier(own.value));
  return same && !names && !serial
    ? undefined
    : 'is a root that identifies another key than its own as its issuer';
}
