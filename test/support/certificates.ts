import { dayMs } from '../../src/base/duration.ts';
import { seededEntropy } from '../../src/base/entropy.ts';
import { buildCertificate, type Certificate, certificatePem, newSerial } from '../../src/x509/certificate.ts';
import {
  authorityKeyIdentifier,
  basicConstraints,
  keyUsage,
  subjectAltName,
  subjectKeyIdentifier,
} from '../../src/x509/extension.ts';
import {
  generateKey,
  type KeySpec,
  keyIdentifier,
  type PrivateKey,
  writePrivateKey,
} from '../../src/x509/key.ts';
import { nameOf } from '../../src/x509/name.ts';
import { signerOf } from '../../src/x509/signature.ts';

/** A certificate with its key, ready to sign with or to put into a Secret. */
export interface Credential {
  certificate: Certificate;
  key: PrivateKey;
  pem: string;
  keyPem: string;
}

export interface CredentialRequest {
  commonName: string;
  /** Signs it; self-signed where absent. */
  by?: Credential;
  ca?: boolean;
  notBefore?: number;
  lifetimeMs?: number;
  dnsNames?: readonly string[];
  key?: PrivateKey;
  keySpec?: KeySpec;
}

/** Issues certificates that depend on nothing but `seed` and what was issued before. */
export function issuance(seed: string, epochMs = Date.UTC(2026, 0, 1)) {
  const entropy = seededEntropy(seed);
  return async (request: CredentialRequest): Promise<Credential> => {
    const { commonName, by, ca = !by, notBefore = epochMs, lifetimeMs = 90 * dayMs } = request;
    const key = request.key ?? generateKey(request.keySpec ?? { type: 'ec', curve: 'P-256' }, entropy);
    const signing = by?.key ?? key;
    const subject = nameOf({ commonName });
    const certificate = await buildCertificate(
      {
        serial: newSerial(entropy),
        issuer: by?.certificate.subject ?? subject,
        subject,
        notBefore,
        notAfter: notBefore + lifetimeMs,
        publicKey: key.publicKey,
        extensions: [
          basicConstraints({ ca }),
          keyUsage(ca ? ['cert sign', 'crl sign'] : ['digital signature']),
          subjectKeyIdentifier(keyIdentifier(key.publicKey)),
          authorityKeyIdentifier(keyIdentifier(signing.publicKey)),
          ...(request.dnsNames
            ? [subjectAltName(request.dnsNames.map((value) => ({ type: 'dns', value })))]
            : []),
        ],
      },
      signerOf(signing),
    );
    return { certificate, key, pem: certificatePem(certificate), keyPem: writePrivateKey(key, 'pkcs8') };
  };
}
