import { createPublicKey, type KeyObject } from 'node:crypto';
import { invalidRequest } from '../faults.ts';

/** Of a public key or a certificate in PEM. @throws Fault `vault.request.invalid` */
export function publicKey(pem: string): KeyObject {
  // From a private key, too, Node would make one; what is kept here is no place for that.
  if (/PRIVATE KEY/.test(pem)) throw invalidRequest('a private key was given where a public one belongs');
  try {
    return createPublicKey(pem);
  } catch (error) {
    throw invalidRequest('error parsing public key: data does not contain any valid public keys', error);
  }
}
