import { dsaKey, readDsaNumbers } from './dsa-key.ts';
import type { Extension } from './extension.ts';
import { extensionJson } from './json-extension.ts';
import { algorithmJson, keyAlgorithmJson } from './json-key.ts';
import { nameJson } from './json-name.ts';
import { oids } from './oid.ts';
import type { CertificateRequest } from './request.ts';
import { publicKeyAlgorithm, publicKeyBytes, readSpki, rsaNumbers } from './spki.ts';

/** A request as step writes it: the fields of Go's structure under their own names. */
export function requestJson(request: CertificateRequest): Record<string, unknown> {
  const { extensions, subjectAltNames } = request;
  const texts = (type: 'dns' | 'email' | 'ip') =>
    listOrNull(subjectAltNames.flatMap((name) => (name.type === type ? [name.value] : [])));
  return {
    Raw: request.der.toString('base64'),
    RawTBSCertificateRequest: request.tbs.toString('base64'),
    RawSubjectPublicKeyInfo: request.spki.toString('base64'),
    RawSubject: request.subject.der.toString('base64'),
    Version: 0,
    Signature: request.signature.toString('base64'),
    SignatureAlgorithm: algorithmJson(request.signatureAlgorithm),
    PublicKeyAlgorithm: keyAlgorithmJson(request.spki),
    PublicKey: publicKeyJson(request.spki),
    Subject: nameJson(request.subject),
    Attributes: extensions.length > 0 ? [extensionRequestJson(extensions)] : null,
    Extensions: listOrNull(extensions.map(extensionJson)),
    ExtraExtensions: null,
    DNSNames: texts('dns'),
    EmailAddresses: texts('email'),
    IPAddresses: texts('ip'),
  };
}

/** Go writes a list that was never made as null. */
function listOrNull<T>(list: readonly T[]): readonly T[] | null {
  return list.length > 0 ? list : null;
}

/** The attribute that asks for extensions: of each only which one. */
function extensionRequestJson(extensions: readonly Extension[]) {
  return {
    Type: oids.extensionRequest.split('.').map(Number),
    Value: [extensions.map(({ oid }) => ({ type: oid }))],
  };
}

function publicKeyJson(spki: Buffer): unknown {
  const bits = publicKeyBytes(spki);
  switch (publicKeyAlgorithm(spki)) {
    case oids.rsaEncryption: {
      const { modulus, exponent } = rsaNumbers(bits);
      return { N: bigNumber(modulus), E: bigNumber(exponent) };
    }
    case oids.ecPublicKey: {
      readSpki(spki);
      const size = (bits.length - 1) / 2;
      const point = { X: bigNumber(bits.subarray(1, 1 + size)), Y: bigNumber(bits.subarray(1 + size)) };
      return {
        Pub: { Curve: {}, ...point },
        Raw: { Bytes: bits.toString('base64'), BitLength: bits.length * 8 },
      };
    }
    case dsaKey: {
      const { p, q, g, y } = readDsaNumbers(spki);
      return { P: bigNumber(p), Q: bigNumber(q), G: bigNumber(g), Y: bigNumber(y) };
    }
    case oids.ed25519:
      return bits.toString('base64');
    default:
      return null;
  }
}

/** TypeScript's library does not know of it yet: a value that is written as this very text. */
const { rawJSON } = JSON as unknown as { rawJSON: (this: void, text: string) => unknown };

/** All digits of a number, which a JSON number of ours would round. */
function bigNumber(bytes: Buffer): unknown {
  return rawJSON(BigInt(`0x${bytes.toString('hex')}`).toString());
}
