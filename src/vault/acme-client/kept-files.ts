import { createHash } from 'node:crypto';
import type { Identifier } from '../../authority/acme/identifier.ts';
import { Fault } from '../../base/fault.ts';
import { type Certificate, readCertificates } from '../../x509/certificate.ts';
import {
  formatKeySpec,
  type KeySpec,
  type PrivateKey,
  readPrivateKey,
  samePublicKey,
  writePrivateKey,
} from '../../x509/key.ts';
import { decodePem, encodePem } from '../../x509/pem.ts';

/** Where files are kept that only this server's user may read. */
export interface FileCache {
  /** Undefined where there is none. */
  read(name: string): string | undefined;
  /** All of it or nothing, for its owner alone. */
  write(name: string, text: string): void;
}

/** A certificate with its key, as it is served. */
export interface KeptCertificate {
  certificate: Certificate;
  /** PEM. */
  chain: string;
  key: string;
}

/** What names a file: another CA, name or kind of key is another certificate. */
export function certificateFile(directory: string, names: readonly Identifier[], keySpec: KeySpec): string {
  const sorted = names.map(({ type, value }) => `${type}:${value}`).toSorted();
  return `certificate-${digest([directory, formatKeySpec(keySpec), ...sorted])}.pem`;
}

export function accountFile(directory: string, email: string, bindingId: string): string {
  return `account-${digest([directory, email, bindingId])}.pem`;
}

function digest(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 24);
}

/** The key and the chain in one file, so that they cannot part. */
export function certificateText(chain: string, key: PrivateKey): string {
  return `${writePrivateKey(key, 'pkcs8').trimEnd()}\n${chain}`;
}

/** @throws Fault where it is none, or its key is another's */
export function readCertificateText(text: string): KeptCertificate {
  const blocks = decodePem(text);
  const certificates = blocks.filter(({ label }) => label === 'CERTIFICATE');
  const chain = certificates.map(({ bytes }) => encodePem('CERTIFICATE', bytes)).join('');
  const [certificate] = readCertificates(chain);
  const keyBlock = blocks.find(({ label }) => label === 'PRIVATE KEY');
  if (!certificate || !keyBlock) throw broken('a certificate and its key are not both in it');
  const key = encodePem('PRIVATE KEY', keyBlock.bytes);
  if (!samePublicKey(readPrivateKey(key).publicKey, certificate.publicKey)) {
    throw broken('its key is not that of its certificate');
  }
  return { certificate, chain, key };
}

function broken(message: string): Fault {
  return new Fault(message, { code: 'vault.acme-client.cache', blame: 'operator' });
}
