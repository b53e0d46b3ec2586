import { Fault } from '../base/fault.ts';
import type { Secret } from '../kube/resource.ts';
import { readCertificates, type Certificate as X509Certificate } from '../x509/certificate.ts';
import { type PrivateKey, readPrivateKey } from '../x509/key.ts';
import { dataKeys } from './kinds.ts';

/** A key and certificate as a Secret holds them, each read at most once. */
export interface HeldSecret {
  readonly object: Secret;
  /** Text of a key of its data; empty where it is absent. */
  text(key: string): string;
  /** @throws Fault where tls.key is no private key */
  privateKey(): PrivateKey;
  /** The first certificate of tls.crt. @throws Fault where there is none */
  certificate(): X509Certificate;
}

export function heldSecret(object: Secret): HeldSecret {
  const text = (key: string) => Buffer.from(object.data?.[key] ?? '', 'base64').toString('utf8');
  return {
    object,
    text,
    privateKey: once(() => readPrivateKey(text(dataKeys.privateKey))),
    certificate: once(() => firstCertificate(text(dataKeys.certificate))),
  };
}

/** @throws Fault `certmanager.certificate.none`, `x509.*` */
export function firstCertificate(pem: string): X509Certificate {
  const [first] = readCertificates(pem);
  if (first) return first;
  throw new Fault('error decoding certificate PEM block', {
    code: 'certmanager.certificate.none',
    blame: 'peer',
  });
}

/** `read`, done once whether it answers or throws. */
function once<T>(read: () => T): () => T {
  let answer: (() => T) | undefined;
  return () => {
    if (!answer) {
      try {
        const value = read();
        answer = () => value;
      } catch (error) {
        answer = () => {
          throw error;
        };
      }
    }
    return answer();
  };
}
