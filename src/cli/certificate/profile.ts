import { domainToASCII } from 'node:url';
import { dayMs } from '../../base/duration.ts';
import { Fault } from '../../base/fault.ts';
import type { Certificate } from '../../x509/certificate.ts';
import {
  authorityKeyIdentifier,
  basicConstraints,
  type Extension,
  extendedKeyUsage,
  keyUsage,
  subjectAltName,
  subjectKeyIdentifier,
} from '../../x509/extension.ts';
import type { GeneralName } from '../../x509/general-name.ts';
import { parseIp } from '../../x509/ip-address.ts';
import { keyIdentifier, type PrivateKey, type PublicKey, samePublicKey } from '../../x509/key.ts';
import type { Name } from '../../x509/name.ts';
import { oids } from '../../x509/oid.ts';
import { isAscii } from '../../x509/text.ts';

/** Lifetimes where none is asked for, as step has them. */
export const leafLifetimeMs = dayMs;
export const caLifetimeMs = 10 * 365 * dayMs;

/** What a certificate is for, which decides its key usages and constraints. */
export type Purpose =
  | { kind: 'leaf'; names: readonly GeneralName[] }
  /** Without a path length there may be any number of intermediates below. */
  | { kind: 'ca'; pathLength?: number };

export interface Subject {
  name: Name;
  publicKey: PublicKey;
  /** The certificate that signs; absent where the subject does so itself. */
  issuer?: Certificate | undefined;
}

/** The extensions of step's profiles, in the order in which Go encodes them. */
export function profileExtensions(purpose: Purpose, subject: Subject): Extension[] {
  const uses =
    purpose.kind === 'ca'
      ? [keyUsage(['cert sign', 'crl sign']), basicConstraints({ ca: true, ...pathLengthOf(purpose) })]
      : [leafKeyUsage(subject.publicKey), extendedKeyUsage([oids.serverAuth, oids.clientAuth])];
  const names = purpose.kind === 'leaf' ? purpose.names : [];
  const alternatives = names.length > 0 ? [subjectAltName(names, subject.name.rdns.length === 0)] : [];
  return [...uses, ...keyIdentifiers(subject), ...alternatives];
}

function pathLengthOf({ pathLength }: { pathLength?: number }) {
  return pathLength === undefined ? {} : { pathLength };
}

/** Only RSA keys can have secrets enciphered to them. */
function leafKeyUsage({ spec }: PublicKey): Extension {
  return keyUsage(spec.type === 'rsa' ? ['digital signature', 'key encipherment'] : ['digital signature']);
}

/** The subject's key identifier, and the issuer's where that is another. */
export function keyIdentifiers({ publicKey, issuer }: Pick<Subject, 'publicKey' | 'issuer'>): Extension[] {
  const authority = issuer?.subjectKeyId;
  return [
    subjectKeyIdentifier(keyIdentifier(publicKey)),
    ...(authority && authority.length > 0 ? [authorityKeyIdentifier(authority)] : []),
  ];
}

/**
 * A name for the alternative names: an address, a URI where it has a scheme, an e-mail address where it has an @,
 * else a host, whose letters beyond ASCII become punycode.
 *
 * @throws Fault `cli.usage` for what cannot be any of them
 */
export function alternativeName(text: string): GeneralName {
  if (parseIp(text)) return { type: 'ip', value: text };
  if (/^[a-z][a-z\d+.-]*:/i.test(text)) return { type: 'uri', value: text };
  if (text.includes('@')) return { type: 'email', value: text };
  const value = isAscii(text) ? text : domainToASCII(text);
  if (value === '') throw nameFault(text);
  return { type: 'dns', value };
}

function nameFault(text: string): Fault {
  return new Fault(`${JSON.stringify(text)} is no name of a host, address, URI or mailbox`, {
    code: 'cli.usage',
    blame: 'caller',
    fix: 'name another with --san',
  });
}

export interface Issuer {
  certificate: Certificate;
  key: PrivateKey;
}

/**
 * Insists that `issuer` can sign certificates that verify, and, for a CA with this path length below it (infinite
 * where there is to be none), that it may.
 *
 * @throws Fault `cli.certificate.issuer`
 */
export function insistOnIssuer({ certificate, key }: Issuer, caPathLength?: number): void {
  if (!samePublicKey(certificate.publicKey, key.publicKey)) {
    throw issuerFault('private key does not match issuer public key');
  }
  if (!certificate.isCa) throw issuerFault('issuer certificate is not a certificate authority');
  if (certificate.keyUsage && !certificate.keyUsage.includes('cert sign')) {
    throw issuerFault('issuer certificate does not have the keyCertSign usage');
  }
  const { pathLength } = certificate;
  if (caPathLength === undefined || pathLength === undefined) return;
  const refusal = `issuer certificate cannot sign an intermediate-ca: pathLenConstraint is ${pathLength}`;
  if (pathLength === 0) throw issuerFault(refusal);
  if (caPathLength >= pathLength) throw issuerFault(`${refusal}, want at most ${pathLength - 1}`);
}

function issuerFault(message: string): Fault {
  return new Fault(message, { code: 'cli.certificate.issuer', blame: 'caller' });
}
