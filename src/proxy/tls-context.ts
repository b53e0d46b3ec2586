import { constants, type X509Certificate } from 'node:crypto';
import tls, { type SecureContext, type TLSSocket } from 'node:tls';
import { describeError } from '../base/fault.ts';
import { type Certificate, certificatePem, readCertificate } from '../x509/certificate.ts';
import { writePrivateKey } from '../x509/key.ts';
import type { Credential } from './credential.ts';

/**
 * The mesh speaks TLS 1.3 only, without tickets: a resumed session would bring no certificates to judge. OpenSSL is
 * given no roots: it would judge peers by the machine's clock, so its verdict is not asked, and an empty list keeps
 * Node from loading the web's roots.
 */
export const meshTls = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  secureOptions: constants.SSL_OP_NO_TICKET,
  ca: [],
} satisfies tls.SecureContextOptions;

const contexts = new WeakMap<Credential, SecureContext>();
let anonymous: SecureContext | undefined;

/** The TLS context of a credential, made once; without a credential, one that can only dial. */
export function secureContext(credential?: Credential): SecureContext {
  if (!credential) return (anonymous ??= tls.createSecureContext(meshTls));
  let context = contexts.get(credential);
  if (!context) {
    context = tls.createSecureContext(servingOptions(credential));
    contexts.set(credential, context);
  }
  return context;
}

export function servingOptions({ chain, key }: Credential): tls.SecureContextOptions {
  return { ...meshTls, cert: chain.map(certificatePem).join(''), key: writePrivateKey(key, 'pkcs8') };
}

/** More than any honest chain, fewer than would cost us time. */
const longestChain = 10;

/**
 * What the far end of a completed handshake presented, its leaf first; a reason where it cannot be read. It says
 * nothing about trust.
 */
export function presentedCertificates(socket: TLSSocket): Certificate[] | { unreadable: string } {
  const presented: Certificate[] = [];
  try {
    let next: X509Certificate | undefined = socket.getPeerX509Certificate();
    for (; next && presented.length < longestChain; next = next.issuerCertificate) {
      presented.push(readCertificate(Buffer.from(next.raw)));
    }
  } catch (error) {
    return { unreadable: describeError(error) };
  }
  return presented;
}
