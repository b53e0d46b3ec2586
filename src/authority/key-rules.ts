import { Fault } from '../base/fault.ts';
import type { KeySpec } from '../x509/key.ts';
import type { CertificateRequest } from '../x509/request.ts';
import { refused } from './refused.ts';

const rsaMinimumBits = 2_048;
/** Larger keys keep a core busy for minutes and make no peer safer. */
const rsaMaximumBits = 8_192;

/** @throws Fault `authority.key.kind` for a key that is too weak, or too large to make. */
export function checkKeySpec(spec: KeySpec): void {
  if (spec.type !== 'rsa') return;
  if (spec.bits < rsaMinimumBits) {
    throw refused('key.kind', `RSA keys < 2048 bits are unsafe and not supported: got ${spec.bits}`);
  }
  if (spec.bits > rsaMaximumBits) {
    throw refused('key.kind', `RSA keys > ${rsaMaximumBits} bits are not supported`);
  }
}

/** @throws Fault `authority.request.key` for a key that is none, of an unknown kind, or too weak. */
export function checkRequestKey(csr: CertificateRequest): void {
  let spec: KeySpec;
  try {
    spec = csr.publicKey.spec;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw refused('request.key', `Refusing to sign CSR with unusable PublicKey: ${error.message}`, error);
  }
  if (spec.type === 'rsa' && spec.bits < rsaMinimumBits) {
    throw refused('request.key', 'RSA keys < 2048 bits are unsafe and not supported');
  }
}

/** @throws Fault `authority.name.taken`, `authority.name.form` */
export function checkName(
  kind: 'issuer' | 'key',
  name: string,
  taken: readonly { name: string; id: string }[],
): void {
  if (name === '') return;
  if (name.toLowerCase() === 'default') {
    throw refused('name.form', `reserved keyword 'default' can not be used as ${kind} name`);
  }
  if (!/^\w([\w.-]*\w)?$/.test(name)) {
    throw refused('name.form', `${kind} name contained invalid characters`);
  }
  if (taken.some((one) => one.name === name || one.id === name)) {
    throw refused('name.taken', `${kind} name already in use`);
  }
}
