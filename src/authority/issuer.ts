import { Fault } from '../base/fault.ts';
import { type Certificate, certificatePem, isSelfSigned, readCertificate } from '../x509/certificate.ts';
import { type PrivateKey, readPrivateKey, writePrivateKey } from '../x509/key.ts';
import { sameName } from '../x509/name.ts';
import type { BeyondIssuer } from './validity.ts';

/** A CA certificate that this authority knows, with the key to sign below it. */
export interface Issuer {
  id: string;
  /** Empty where it has none. */
  name: string;
  keyId: string;
  certificate: Certificate;
  /** What becomes of leaves that would outlive it. */
  leafNotAfterBehavior: BeyondIssuer;
  /** Of its record in the store. */
  revision: number;
}

/** A private key of the authority, kept as a key object. */
export interface CaKey {
  id: string;
  name: string;
  privateKey: PrivateKey;
  revision: number;
}

interface IssuerRecord {
  id: string;
  name: string;
  keyId: string;
  /** DER, base64. */
  certificate: string;
  leafNotAfterBehavior: BeyondIssuer;
}

interface KeyRecord {
  id: string;
  name: string;
  /** PKCS #8, PEM. The store is to seal it. */
  privateKey: string;
}

export function writeIssuer(issuer: Omit<Issuer, 'revision'>): Buffer {
  const { id, name, keyId, certificate, leafNotAfterBehavior } = issuer;
  const record: IssuerRecord = {
    id,
    name,
    keyId,
    certificate: certificate.der.toString('base64'),
    leafNotAfterBehavior,
  };
  return Buffer.from(JSON.stringify(record));
}

export function readIssuer(value: Buffer, revision: number): Issuer {
  const record = parse(value, 'issuer') as IssuerRecord;
  return { ...record, certificate: readCertificate(Buffer.from(record.certificate, 'base64')), revision };
}

export function writeKey({ id, name, privateKey }: Omit<CaKey, 'revision'>): Buffer {
  const record: KeyRecord = { id, name, privateKey: writePrivateKey(privateKey, 'pkcs8') };
  return Buffer.from(JSON.stringify(record));
}

export function readKey(value: Buffer, revision: number): CaKey {
  const record = parse(value, 'key') as KeyRecord;
  return { ...record, privateKey: readPrivateKey(record.privateKey), revision };
}

/** The message says what, never what stands in it: it may be a key. */
function parse(value: Buffer, what: string): unknown {
  try {
    return JSON.parse(value.toString());
  } catch {
    throw new Fault(`the record of the ${what} in the store is damaged`, {
      code: 'authority.record',
      blame: 'operator',
      fix: 'restore the store from a backup',
    });
  }
}

/** Tells an issuer's certificate and those above it, up to a root where it is known. */
export type Chains = (issuer: Issuer) => readonly Certificate[];

/** The chains among `known`, each worked out when it is first asked for: whether a root is one takes a signature. */
export function chainsAmong(known: readonly Issuer[]): Chains {
  const chains = new Map<string, readonly Certificate[]>();
  return (issuer) => {
    const found = chains.get(issuer.id) ?? chainOf(issuer, known);
    chains.set(issuer.id, found);
    return found;
  };
}

/** `issuer` and above it those of `known` that signed the one before. */
function chainOf(issuer: Issuer, known: readonly Issuer[]): Certificate[] {
  const chain = [issuer.certificate];
  for (let last = issuer.certificate; !isSelfSigned(last); ) {
    const above = known.find(({ certificate }) => isAbove(certificate, last) && !chain.includes(certificate));
    if (!above) break;
    last = above.certificate;
    chain.push(last);
  }
  return chain;
}

function isAbove(upper: Certificate, lower: Certificate): boolean {
  if (!sameName(upper.subject, lower.issuer)) return false;
  const { authorityKeyId } = lower;
  return !authorityKeyId || !upper.subjectKeyId || authorityKeyId.equals(upper.subjectKeyId);
}

/** PEM without the newline at its end, as Vault's answers hold it. */
export function barePem(certificate: Certificate): string {
  return certificatePem(certificate).trimEnd();
}
