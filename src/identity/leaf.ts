import type { Entropy } from '../base/entropy.ts';
import { buildCertificate, type Certificate, newSerial } from '../x509/certificate.ts';
import {
  authorityKeyIdentifier,
  type Extension,
  extendedKeyUsage,
  keyUsage,
  subjectAltName,
} from '../x509/extension.ts';
import type { PublicKey } from '../x509/key.ts';
import { emptyName, nameOf } from '../x509/name.ts';
import { oids } from '../x509/oid.ts';
import type { Issuer } from './issuer.ts';

/** How long leaves live, and how far the clocks of a mesh may be apart. */
export interface Validity {
  lifetimeMs: number;
  clockSkewMs: number;
}

/** The same in every leaf. */
const leafUsages: readonly Extension[] = [
  keyUsage(['digital signature', 'key encipherment']),
  extendedKeyUsage([oids.serverAuth, oids.clientAuth]),
];

/**
 * A leaf in Linkerd's form (linkerd2, pkg/tls/ca.go): valid from the skew before now to lifetime and skew after it,
 * never past the first expiry in the issuer's chain, so that a proxy asks again before any part of its chain ends.
 *
 * Two differences. Serials are random, where upstream counts from 1 at each load of the issuer: two leaves of one
 * issuer must never share a serial (RFC 5280 section 4.1.2.2), and replicas and restarts make counters do so. And
 * of the requested subject only the Common Name, which has been checked, is certified; upstream copies the rest.
 */
export async function issueLeaf(
  issuer: Issuer,
  request: { identity: string; commonName: boolean; publicKey: PublicKey },
  { lifetimeMs, clockSkewMs }: Validity,
  { at, entropy }: { at: number; entropy: Entropy },
): Promise<Certificate> {
  const { identity, commonName, publicKey } = request;
  const { certificate } = issuer;
  // Certificates count in whole seconds: down for both ends, as Go cuts them.
  const wholeSecond = (ms: number) => Math.floor(ms / 1_000) * 1_000;
  return await buildCertificate(
    {
      serial: newSerial(entropy),
      issuer: certificate.subject,
      subject: commonName ? nameOf({ commonName: identity }) : emptyName,
      notBefore: wholeSecond(at - clockSkewMs),
      notAfter: Math.min(wholeSecond(at + lifetimeMs + clockSkewMs), issuer.firstExpiryMs),
      publicKey,
      extensions: [
        ...leafUsages,
        ...(certificate.subjectKeyId ? [authorityKeyIdentifier(certificate.subjectKeyId)] : []),
        // Critical where there is no subject beside it (RFC 5280 section 4.1.2.6).
        subjectAltName([{ type: 'dns', value: identity }], !commonName),
      ],
    },
    issuer.signer,
  );
}
