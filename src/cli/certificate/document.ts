import { Fault } from '../../base/fault.ts';
import { type Certificate, readCertificate } from '../../x509/certificate.ts';
import { readPrivateKey } from '../../x509/key.ts';
import { decodePem, type PemBlock } from '../../x509/pem.ts';
import { type CertificateRequest, isRequestLabel, readRequest } from '../../x509/request.ts';

/** What a file or address holds. */
export type Document =
  | { kind: 'certificates'; certificates: readonly [Certificate, ...Certificate[]] }
  | { kind: 'request'; request: CertificateRequest };

/**
 * Reads certificates or a request from the bytes of a file, PEM or DER. PEM blocks of other kinds beside them are
 * passed over.
 *
 * @param from what to call the file in a message
 * @throws Fault `cli.certificate.*` in one line that says what the file holds instead; `x509.*` under its name.
 */
export function readDocument(bytes: Buffer, from: string): Document {
  if (bytes.length === 0) throw documentFault('empty', `${from} is empty`);
  try {
    return bytes.includes('-----BEGIN ') ? readPem(bytes.toString('utf8'), from) : readBinary(bytes, from);
  } catch (error) {
    if (!(error instanceof Fault) || error.code.startsWith('cli.')) throw error;
    throw new Fault(`error parsing ${from}: ${error.message}`, {
      code: error.code,
      blame: error.blame,
      cause: error,
    });
  }
}

function readPem(text: string, from: string): Document {
  const blocks = decodePem(text.replace(/^\ufeff/, ''));
  const [first, ...rest] = blocks.filter(({ label }) => label === 'CERTIFICATE');
  if (first) {
    const certificates = rest.map(({ bytes }) => readCertificate(bytes));
    return { kind: 'certificates', certificates: [readCertificate(first.bytes), ...certificates] };
  }
  const request = blocks.find(({ label }) => isRequestLabel(label));
  if (request) return { kind: 'request', request: readRequest(request.bytes) };
  throw neither(blocks, from);
}

function neither(blocks: readonly PemBlock[], from: string): Fault {
  if (blocks.some(({ label }) => label.endsWith('PRIVATE KEY'))) return privateKeyFault(from);
  const found = [...new Set(blocks.map(({ label }) => label))].join(', ');
  return documentFault(
    'absent',
    `${from} holds no certificate and no certificate request${found && `, only ${found}`}`,
  );
}

/** DER begins with a sequence; what it is a sequence of, only reading it as one thing and another tells. */
function readBinary(bytes: Buffer, from: string): Document {
  if (bytes[0] !== 0x30) throw documentFault('garbage', `${from} holds neither PEM nor DER`);
  let failure: unknown;
  try {
    return { kind: 'certificates', certificates: [readCertificate(bytes)] };
  } catch (error) {
    failure = error;
  }
  try {
    return { kind: 'request', request: readRequest(bytes) };
  } catch {
    throw isPrivateKey(bytes) ? privateKeyFault(from) : failure;
  }
}

function isPrivateKey(bytes: Buffer): boolean {
  try {
    readPrivateKey(bytes);
    return true;
  } catch {
    return false;
  }
}

function privateKeyFault(from: string): Fault {
  return documentFault(
    'private-key',
    `${from} holds a private key and no certificate`,
    'name the certificate that belongs to it; nothing of the key has been printed',
  );
}

function documentFault(kind: string, message: string, fix?: string): Fault {
  return new Fault(message, {
    code: `cli.certificate.${kind}`,
    blame: 'caller',
    ...(fix === undefined ? {} : { fix }),
  });
}
