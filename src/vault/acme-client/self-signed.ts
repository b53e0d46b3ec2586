import { acmeIdentifier, serverName } from '../../authority/acme/challenge-rules.ts';
import type { Identifier } from '../../authority/acme/identifier.ts';
import { dayMs } from '../../base/duration.ts';
import type { Entropy } from '../../base/entropy.ts';
import { buildCertificate, certificatePem, newSerial } from '../../x509/certificate.ts';
import { tags, writeDer } from '../../x509/der.ts';
import { basicConstraints, type Extension, extendedKeyUsage, subjectAltName } from '../../x509/extension.ts';
import { generateKey, writePrivateKey } from '../../x509/key.ts';
import { nameOf } from '../../x509/name.ts';
import { oids } from '../../x509/oid.ts';
import { signerOf } from '../../x509/signature.ts';
import type { ChallengeAnswer, ProofCertificate } from '../http/challenge-answers.ts';

interface Making {
  nowMs: number;
  entropy: Entropy;
}

/** Longer than a server runs: nobody but itself is to trust it. */
const standInMs = 3_650 * dayMs;
const proofMs = 7 * dayMs;

/** What is shown until a CA has certified the names. */
export function standIn(names: readonly Identifier[], making: Making): Promise<ProofCertificate> {
  const extensions = [basicConstraints({ ca: false }), extendedKeyUsage([oids.serverAuth])];
  return selfSigned([...extensions, subjectAltName(names)], standInMs, making);
}

/** RFC 8737 section 3. `digest`: of the key authorization. */
export async function handshakeAnswer(
  identifier: Identifier,
  digest: Buffer,
  making: Making,
): Promise<ChallengeAnswer> {
  const value = writeDer((writer) => writer.primitive(tags.octetString, digest));
  const extensions = [subjectAltName([identifier]), { oid: acmeIdentifier, critical: true, value }];
  const certificate = await selfSigned(extensions, proofMs, making);
  return { type: 'tls-alpn-01', serverName: serverName(identifier), certificate };
}

async function selfSigned(
  extensions: readonly Extension[],
  lifeMs: number,
  { nowMs, entropy }: Making,
): Promise<ProofCertificate> {
  const key = generateKey({ type: 'ec', curve: 'P-256' }, entropy);
  const subject = nameOf({ commonName: 'Capstan, not certified yet' });
  const certificate = await buildCertificate(
    {
      serial: newSerial(entropy),
      issuer: subject,
      subject,
      // Clocks differ.
      notBefore: nowMs - dayMs,
      notAfter: nowMs + lifeMs,
      publicKey: key.publicKey,
      extensions,
    },
    signerOf(key),
  );
  return { cert: certificatePem(certificate), key: writePrivateKey(key, 'pkcs8') };
}
