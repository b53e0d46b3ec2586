import type { KeySpec, PrivateKey } from '../x509/key.ts';
import type { Certificate, CertificateStatus } from './kinds.ts';
import type { SecretContent } from './secret-content.ts';

export interface CertificateEvent {
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
  /** Whose work it tells of; upstream has a controller for each, and events are reported under its name. */
  by: 'trigger' | 'key-manager' | 'request-manager' | 'issuing';
}

/** One thing to do for a Certificate, and what is told of once it is done. */
export type CertificateStep =
  | { do: 'write status'; certificate: Certificate; events: readonly CertificateEvent[] }
  /** Keeps a key for the issuance under way: `reuse`, or a new one. */
  | { do: 'store key'; name: string; spec: KeySpec; reuse?: PrivateKey; events: readonly CertificateEvent[] }
  | { do: 'delete keys'; names: readonly string[]; events?: readonly CertificateEvent[] }
  | { do: 'create request'; name: string; revision: number; key: PrivateKey; keySecretName: string }
  | { do: 'delete requests'; names: readonly string[] }
  | { do: 'apply secret'; content: SecretContent; because: string };

export function statusStep(
  certificate: Certificate,
  status: CertificateStatus,
  events: readonly CertificateEvent[] = [],
): CertificateStep {
  return { do: 'write status', certificate: { ...certificate, status }, events };
}
