import { type Certificate, isSignedBy, readCertificate } from './certificate.ts';
import { issuerHashes } from './ocsp-cert-id.ts';
import type { CertificateStatus, OcspResponse } from './ocsp-response.ts';
import { oids } from './oid.ts';
import { verifySignature } from './signature.ts';

/** What a response says of a certificate; else why it says nothing that can be relied on. */
export type OcspVerdict = { reliable: true; is: CertificateStatus } | { reliable: false; reason: string };

/** What a response may be ahead or behind by, for clocks that differ. */
const clockSkewMs = 300_000;

/**
 * Judges a response about `certificate` as RFC 6960 section 3.2 has clients do: it must be about that certificate,
 * signed by its issuer or by a responder that the issuer has named, and neither from the future nor overtaken. A
 * `nonce` that was sent must have come back.
 */
export function judgeOcsp(
  { status, basic }: OcspResponse,
  certificate: Certificate,
  { issuer, at, nonce }: { issuer: Certificate; at: number; nonce?: Buffer },
): OcspVerdict {
  const unreliable = (reason: string): OcspVerdict => ({ reliable: false, reason });
  if (!basic) return unreliable(`the responder answers ${status}`);
  const found = basic.responses.find(({ certificate: { hash, issuerNameHash, issuerKeyHash, serial } }) => {
    const hashes = hash && issuerHashes(issuer, hash);
    return (
      hashes?.issuerNameHash.equals(issuerNameHash) &&
      hashes.issuerKeyHash.equals(issuerKeyHash) &&
      serial.equals(certificate.serial)
    );
  });
  if (!found) return unreliable('the response is about another certificate');
  const { tbs: bytes, signature, signatureAlgorithm: algorithm } = basic;
  const signed = responders(basic.certificates, issuer, at).some(({ publicKey }) =>
    verifySignature({ algorithm, bytes, signature, publicKey }),
  );
  if (!signed) return unreliable('the response is signed by nobody who may');
  if (nonce && !basic.nonce?.equals(nonce)) return unreliable('the response is to another request');
  if (found.thisUpdate > at + clockSkewMs) return unreliable('the response is from the future');
  if (found.nextUpdate !== undefined && found.nextUpdate < at - clockSkewMs)
    return unreliable('the response is out of date');
  return { reliable: true, is: found.is };
}

/** The issuer, and who came along with its leave to answer for it (RFC 6960 section 4.2.2.2). */
function responders(sent: readonly Buffer[], issuer: Certificate, at: number): Certificate[] {
  const named = sent
    .map((der) => readCertificate(der))
    .filter(
      (each) =>
        each.extendedKeyUsage?.includes(oids.ocspSigning) &&
        each.notBefore <= at &&
        at <= each.notAfter &&
        each.issuer.der.equals(issuer.subject.der) &&
        isSignedBy(each, issuer),
    );
  return [issuer, ...named];
}
