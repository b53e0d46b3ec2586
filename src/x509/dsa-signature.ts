import { createPublicKey, verify } from 'node:crypto';
import type { Certificate } from './certificate.ts';
import { readDer, readInside, tags, writeDer } from './der.ts';
import { dsaKey } from './dsa-key.ts';
import { type Problem, problem } from './path-problem.ts';
import { algorithmOid } from './signature.ts';
import { nameInWords } from './subject.ts';

/** Hashes by the signature algorithm's identifier (RFC 3279 section 2.2.2, RFC 5758 section 3.1). */
const hashes: Readonly<Record<string, string>> = {
  '1.2.840.10040.4.3': 'sha1',
  '2.16.840.1.101.3.4.3.2': 'sha256',
};

/** A DSA key: the domain parameters' DER, undefined where they are the issuer's, and the number. */
interface DsaKey {
  parameters: Buffer | undefined;
  bits: Buffer;
}

/** Whether its key is a DSA key, with parameters or without. */
export function isDsa(certificate: Certificate): boolean {
  return spkiAlgorithm(certificate.spki) === dsaKey;
}

function spkiAlgorithm(spki: Buffer): string {
  return readDer(spki, (reader) =>
    readInside(reader, tags.sequence, (inner) => {
      const oid = algorithmOid(inner.anything());
      inner.bitString();
      return oid;
    }),
  );
}

/** What a key signs: a certificate or a revocation list. */
type SignedDocument = Pick<Certificate, 'tbs' | 'signatureAlgorithm' | 'signature'>;

/** The first signature along a path, leaf first, that a DSA key should have made and has not. */
export function dsaProblem(path: readonly Certificate[]): Problem | undefined {
  for (const [index, certificate] of path.slice(0, -1).entries()) {
    const above = path.slice(index + 1);
    if (isDsa(above[0]!) && !isSignedByDsa(certificate, above)) {
      return problem('signature', certificate, `is not signed by the key of ${nameInWords(above[0]!)}`);
    }
  }
  return undefined;
}

/**
 * Whether the DSA key of the first of `signers` made the signature; the others are the path up from there, which
 * hands down the parameters (RFC 3279 section 2.3.2).
 */
export function isSignedByDsa(document: SignedDocument, signers: readonly Certificate[]): boolean {
  const { bits } = readDsaKey(signers[0]!.spki);
  for (const { spki } of signers) {
    if (spkiAlgorithm(spki) !== dsaKey) return false;
    const { parameters } = readDsaKey(spki);
    if (parameters) return isSignedWithDsa(document, parameters, bits);
  }
  return false;
}

function isSignedWithDsa(document: SignedDocument, parameters: Buffer, bits: Buffer): boolean {
  const hash = hashes[algorithmOid(document.signatureAlgorithm)];
  if (hash === undefined) return false;
  const spki = writeDer((writer) =>
    writer.sequence(() => writer.sequence(() => writer.oid(dsaKey).raw(parameters)).bitString(bits)),
  );
  try {
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    return verify(hash, document.tbs, key, document.signature);
  } catch (error) {
    // OpenSSL refuses numbers that are no key only when it imports or uses them.
    if ((error as NodeJS.ErrnoException).code?.startsWith('ERR_OSSL')) return false;
    throw error;
  }
}

function readDsaKey(spki: Buffer): DsaKey {
  return readDer(spki, (reader) =>
    readInside(reader, tags.sequence, (inner) => {
      const parameters = readInside(inner, tags.sequence, (algorithm) => {
        algorithm.oid();
        if (algorithm.nextTag === tags.sequence) return algorithm.anything();
        if (!algorithm.atEnd) algorithm.anything();
        return undefined;
      });
      return { parameters, bits: inner.bitStringBytes() };
    }),
  );
}
