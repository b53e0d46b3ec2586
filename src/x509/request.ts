import { Fault } from '../base/fault.ts';
import { readSpkiForm, signedDocument } from './certificate.ts';
import {
  contextConstructed,
  type DerReader,
  readDer,
  readEach,
  readInside,
  readWhole,
  tags,
  writeDer,
} from './der.ts';
import {
  type Extension,
  findExtension,
  readExtensions,
  readSubjectAltName,
  writeExtensions,
} from './extension.ts';
import type { GeneralName } from './general-name.ts';
import { type PublicKey, readPublicKey } from './key.ts';
import { type Name, readNameFrom } from './name.ts';
import { oids } from './oid.ts';
import { decodePem, encodePem } from './pem.ts';
import { readAlgorithmIdentifier, type Signer, verifySignature } from './signature.ts';

/** A PKCS #10 certification request (RFC 2986). */
export interface CertificateRequest {
  readonly der: Buffer;
  /** What the signature is over. */
  readonly tbs: Buffer;
  readonly subject: Name;
  /** SubjectPublicKeyInfo, DER, of a supported algorithm or not. */
  readonly spki: Buffer;
  /** Read on first use. @throws Fault `x509.key.*` */
  readonly publicKey: PublicKey;
  /** The extensions that are asked for. */
  readonly extensions: readonly Extension[];
  /** Read on first use. @throws Fault `x509.extension.malformed` */
  readonly subjectAltNames: readonly GeneralName[];
  /** AlgorithmIdentifier, DER. */
  readonly signatureAlgorithm: Buffer;
  readonly signature: Buffer;
}

type RequestFields = Omit<CertificateRequest, 'der' | 'publicKey' | 'subjectAltNames'>;

/**
 * Reads a request, strictly. Whether its sender holds the key is for `requestIsSelfConsistent` to say.
 *
 * @throws Fault `x509.request.malformed`, with the fault that says where as its cause.
 */
export function readRequest(der: Buffer): CertificateRequest {
  try {
    const fields = readDer(der, (reader) => readInside(reader, tags.sequence, readFields));
    return new ParsedRequest(der, fields);
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause;
    throw requestFault('malformed', `the certificate request is malformed: ${cause.message}`, cause);
  }
}

class ParsedRequest implements CertificateRequest {
  readonly der: Buffer;
  readonly tbs: Buffer;
  readonly subject: Name;
  readonly spki: Buffer;
  readonly extensions: readonly Extension[];
  readonly signatureAlgorithm: Buffer;
  readonly signature: Buffer;
  #publicKey: PublicKey | undefined;
  #names: readonly GeneralName[] | undefined;

  constructor(der: Buffer, fields: RequestFields) {
    this.der = der;
    this.tbs = fields.tbs;
    this.subject = fields.subject;
    this.spki = fields.spki;
    this.extensions = fields.extensions;
    this.signatureAlgorithm = fields.signatureAlgorithm;
    this.signature = fields.signature;
  }

  get publicKey(): PublicKey {
    this.#publicKey ??= readPublicKey(this.spki);
    return this.#publicKey;
  }

  get subjectAltNames(): readonly GeneralName[] {
    if (!this.#names) {
      const extension = findExtension(this.extensions, oids.subjectAltName);
      this.#names = extension ? readSubjectAltName(extension.value) : [];
    }
    return this.#names;
  }
}

function readFields(reader: DerReader): RequestFields {
  const { der: tbs, value } = readWhole(reader, tags.sequence, readInfo);
  return {
    tbs,
    signatureAlgorithm: readAlgorithmIdentifier(reader),
    signature: reader.bitStringBytes(),
    ...value,
  };
}

function readInfo(reader: DerReader): Pick<RequestFields, 'subject' | 'spki' | 'extensions'> {
  reader.smallInteger(0);
  const subject = readNameFrom(reader);
  const spki = readSpkiForm(reader);
  // RFC 2986 makes the attributes obligatory; some tools leave the empty set out.
  const extensions = reader.atEnd ? [] : readInside(reader, contextConstructed(0), readAttributes);
  return { subject, spki, extensions };
}

/** The extensions asked for by the attribute of RFC 2985 section 5.4.2; other attributes are passed over. */
function readAttributes(reader: DerReader): Extension[] {
  const requests = readEach(reader, (each) =>
    readInside(each, tags.sequence, (attribute) => {
      const isRequest = attribute.oid() === oids.extensionRequest;
      return readInside(attribute, tags.set, (values) => {
        // Some tools ask for extensions and then list none, or leave even the list out.
        if (isRequest) return values.atEnd ? [] : readExtensions(values);
        readEach(values, (value) => value.anything());
        return undefined;
      });
    }),
  ).filter((extensions) => extensions !== undefined);
  if (requests.length > 1) throw requestFault('structure', 'it asks for extensions twice');
  return requests[0] ?? [];
}

/**
 * The one request in PEM text (CERTIFICATE REQUEST, or the old NEW CERTIFICATE REQUEST).
 *
 * @throws Fault `x509.request.absent` where there is none; `x509.pem.*`, `x509.request.malformed`.
 */
export function readRequestPem(pem: string): CertificateRequest {
  const blocks = decodePem(pem);
  const block = blocks.find(({ label }) => isRequestLabel(label));
  if (block) return readRequest(block.bytes);
  const found = blocks.map(({ label }) => label).join(', ');
  throw requestFault(
    'absent',
    `there is no certificate request${found ? `, only ${found}` : ' in PEM form'}`,
  );
}

export function isRequestLabel(label: string): boolean {
  return label === 'CERTIFICATE REQUEST' || label === 'NEW CERTIFICATE REQUEST';
}

/** PEM, ending in a newline. */
export function requestPem(request: Pick<CertificateRequest, 'der'>): string {
  return encodePem('CERTIFICATE REQUEST', request.der);
}

/**
 * Whether the request's own key signed it, which shows that its sender holds the private key.
 *
 * @throws Fault `x509.key.*` where the public key is none or unsupported.
 */
export function requestIsSelfConsistent(request: CertificateRequest): boolean {
  const { signatureAlgorithm: algorithm, tbs: bytes, signature, publicKey } = request;
  return verifySignature({ algorithm, bytes, signature, publicKey });
}

export interface RequestTemplate {
  subject: Name;
  extensions: readonly Extension[];
}

/** Signs a request for the signer's own key. */
export async function buildRequest(template: RequestTemplate, signer: Signer): Promise<CertificateRequest> {
  const tbs = writeDer((writer) =>
    writer.sequence(() => {
      writer.smallInteger(0).raw(template.subject.der).raw(signer.publicKey.spki);
      writer.wrap(contextConstructed(0), () => {
        if (template.extensions.length === 0) return;
        writer.sequence(() =>
          writer.oid(oids.extensionRequest).set(() => writeExtensions(writer, template.extensions)),
        );
      });
    }),
  );
  return readRequest(signedDocument(tbs, signer.algorithm, await signer.sign(tbs)));
}

function requestFault(kind: string, message: string, cause?: unknown): Fault {
  return new Fault(message, { code: `x509.request.${kind}`, blame: 'caller', cause });
}
