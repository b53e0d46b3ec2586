import { Fault } from '../base/fault.ts';
import { type Certificate, certificatePem, readCertificate } from '../x509/certificate.ts';
import { type PublicKey, readPrivateKey, readPublicKey, writePrivateKey } from '../x509/key.ts';
import { isRemote, type RemoteKey, type SigningKey } from '../x509/signature.ts';
import type { AiaConfig } from './ca-request.ts';
import type { BeyondIssuer } from './validity.ts';

/** What an issuer may be used for, besides being read. In the order in which Vault tells them. */
export const issuerUses = ['crl-signing', 'issuing-certificates', 'ocsp-signing'] as const;
export type IssuerUse = (typeof issuerUses)[number];

/** A CA certificate that this authority knows, with the key to sign below it. */
export interface Issuer {
  id: string;
  /** Empty where it has none. */
  name: string;
  /** Undefined while its key is not here: it then signs nothing. */
  keyId: string | undefined;
  certificate: Certificate;
  /** What becomes of leaves that would outlive it. */
  leafNotAfterBehavior: BeyondIssuer;
  usage: readonly IssuerUse[];
  /** What signs its CRLs, such as `ECDSAWithSHA256`; empty for what goes with its key. */
  revocationAlgorithm: string;
  /** Ids of the issuers that make its chain, its own first; empty for what the signatures tell. */
  manualChain: readonly string[];
  /** Its own URLs in place of the authority's. */
  urls: AiaConfig | undefined;
  /** Epoch milliseconds; undefined while it is not revoked. */
  revokedAt: number | undefined;
  /** Of its record in the store. */
  revision: number;
}

/** A private key of the authority, kept as a key object, or one that lives elsewhere. */
export interface CaKey {
  id: string;
  name: string;
  privateKey: SigningKey;
  revision: number;
}

/** Finds keys that live elsewhere by their references; whether one can be reached shows when it is to sign. */
export type RemoteKeys = (reference: string, publicKey: PublicKey) => RemoteKey;

interface IssuerRecord {
  id: string;
  name: string;
  keyId?: string;
  /** DER, base64. */
  certificate: string;
  leafNotAfterBehavior: BeyondIssuer;
  usage?: readonly IssuerUse[];
  revocationAlgorithm?: string;
  manualChain?: readonly string[];
  urls?: AiaConfig;
  revokedAt?: number;
}

type KeyRecord = { id: string; name: string } & (
  | {
      /** PKCS #8, PEM. The store is to seal it. */
      privateKey: string;
    }
  | { remote: { reference: string /** SubjectPublicKeyInfo, base64. */; publicKey: string } }
);

export function writeIssuer({ revision: _revision, certificate, ...rest }: Issuer): Buffer {
  return Buffer.from(JSON.stringify({ ...rest, certificate: certificate.der.toString('base64') }));
}

export function readIssuer(value: Buffer, revision: number): Issuer {
  const record = parse(value, 'issuer') as IssuerRecord;
  return {
    id: record.id,
    name: record.name,
    keyId: record.keyId,
    certificate: readCertificate(Buffer.from(record.certificate, 'base64')),
    leafNotAfterBehavior: record.leafNotAfterBehavior,
    usage: record.usage ?? issuerUses,
    revocationAlgorithm: record.revocationAlgorithm ?? '',
    manualChain: record.manualChain ?? [],
    urls: record.urls,
    revokedAt: record.revokedAt,
    revision,
  };
}

export function writeKey({ id, name, privateKey }: Omit<CaKey, 'revision'>): Buffer {
  const record: KeyRecord = isRemote(privateKey)
    ? {
        ...{ id, name },
        remote: {
          reference: privateKey.reference,
          publicKey: privateKey.publicKey.spki.toString('base64'),
        },
      }
    : { id, name, privateKey: writePrivateKey(privateKey, 'pkcs8') };
  return Buffer.from(JSON.stringify(record));
}

export function readKey(value: Buffer, revision: number, remoteKeys: RemoteKeys): CaKey {
  const record = parse(value, 'key') as KeyRecord;
  const { id, name } = record;
  if (!('remote' in record)) return { id, name, privateKey: readPrivateKey(record.privateKey), revision };
  const { reference, publicKey } = record.remote;
  const privateKey = remoteKeys(reference, readPublicKey(Buffer.from(publicKey, 'base64')));
  return { id, name, privateKey, revision };
}

/** For an authority that was given none: what it has of them cannot sign. */
export const noRemoteKeys: RemoteKeys = (reference, publicKey) => ({
  ...{ reference, publicKey, spec: publicKey.spec },
  sign() {
    throw new Fault('this key lives elsewhere, and nothing here reaches it', {
      code: 'authority.key.remote',
      blame: 'operator',
      fix: 'open the store with the program that made the key',
    });
  },
});

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

/** PEM without the newline at its end, as Vault's answers hold it. */
export function barePem(certificate: Certificate): string {
  return certificatePem(certificate).trimEnd();
}
