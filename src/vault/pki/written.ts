import type { Authority } from '../../authority/authority.ts';
import { barePem, type Issuer } from '../../authority/issuer.ts';
import { Fault } from '../../base/fault.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { writePrivateKey } from '../../x509/key.ts';
import { decodePem } from '../../x509/pem.ts';
import { type CertificateRequest, readRequest } from '../../x509/request.ts';
import { isRemote, type SigningKey } from '../../x509/signature.ts';
import { failed, invalidRequest } from '../faults.ts';
import type { AnswerFormat } from './ca-fields.ts';

export function written(certificate: Certificate, format: AnswerFormat): string {
  return format === 'der' ? certificate.der.toString('base64') : barePem(certificate);
}

/** A private key as an answer holds it. `keyFormat`: `pkcs8`, or what else means the form that is its kind's own. */
export function writtenKey(key: SigningKey, format: AnswerFormat, keyFormat = 'der') {
  const pem = privateKeyPem(key, keyFormat === 'pkcs8');
  return {
    private_key: format === 'der' ? decodePem(pem)[0]!.bytes.toString('base64') : pem,
    private_key_type: key.spec.type,
  };
}

export function privateKeyPem(key: SigningKey, pkcs8: boolean): string {
  if (isRemote(key)) throw invalidRequest('a managed key cannot be exported');
  return writePrivateKey(key, pkcs8 ? 'pkcs8' : 'traditional').trimEnd();
}

/** @throws Fault `vault.request.invalid` in Vault's words, with what is wrong with the request */
export function readCsr(text: string): CertificateRequest {
  if (text === '') throw invalidRequest('"csr" is empty');
  try {
    const [block] = decodePem(text);
    if (!block) throw invalidRequest('csr contains no data');
    return readRequest(block.bytes);
  } catch (error) {
    if (!(error instanceof Fault) || error.code === 'vault.request.invalid') throw error;
    throw invalidRequest(`certificate request could not be parsed: ${error.message}`, error);
  }
}

/** The issuer that is to sign. @throws Fault `vault.request.failed` as Vault tells of one that is not there */
export function signingIssuer(authority: Authority, reference: string): Issuer {
  try {
    return authority.issuer(reference);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw failed(`could not fetch the CA certificate (was one set?): ${error.message}`, error);
  }
}
