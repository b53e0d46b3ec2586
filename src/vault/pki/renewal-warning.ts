import type { Certificate } from '../../x509/certificate.ts';
import type { Caller } from '../routing/route.ts';

/** Where clients renew: cert-manager and step alike begin with a third of the lifetime left. */
const leftAtRenewal = 1 / 3;

/**
 * Beyond Vault: a warning where the token that asked will have ended when the certificate is due for renewal, and
 * neither can extend itself nor came from a login that its holder will repeat. Whoever renews would find out by then.
 */
export function renewalWarnings(
  { presented, access }: Pick<Caller, 'presented' | 'access'>,
  { notBefore, notAfter }: Pick<Certificate, 'notBefore' | 'notAfter'>,
): string[] {
  const { expiresMs, renewable, login } = presented.token;
  const dueMs = notAfter - Math.floor((notAfter - notBefore) * leftAtRenewal);
  if (expiresMs === undefined || expiresMs >= dueMs || login !== undefined) return [];
  const renewal = { path: 'auth/token/renew-self', operation: 'update', data: {} } as const;
  if (renewable && access.allows(renewal)) return [];
  return [
    `the token of this request ends at ${rfc3339(expiresMs)} and cannot renew itself, but this certificate is due for ` +
      `renewal at ${rfc3339(dueMs)}: have another token by then`,
  ];
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
