import type { Authority } from '../../authority/authority.ts';
import { Fault } from '../../base/fault.ts';
import { type Certificate, serialText } from '../../x509/certificate.ts';
import type { LeaseGrant } from '../lease/lease.ts';

/** What ends by itself that soon need not be revoked any more. */
const leewayMs = 2_000;

/** The lease of a certificate by a role with `generate_lease`: it lasts as long, and revokes it where it ends sooner. */
export function leaseOf({ serial, notAfter }: Certificate): LeaseGrant {
  return {
    untilMs: notAfter,
    renewable: false,
    internal: { serial_number: serialText(serial), not_after: notAfter },
  };
}

export async function revokeLeased(
  authority: Authority,
  { serial_number: serial, not_after: notAfter }: LeaseGrant['internal'],
  nowMs: number,
): Promise<void> {
  if (nowMs + leewayMs >= (notAfter as number)) return;
  try {
    await authority.revocations.revoke(serial as string);
  } catch (error) {
    // It was removed meanwhile: there is nothing left to revoke.
    if (error instanceof Fault && error.code === 'authority.certificate.absent') return;
    throw error;
  }
}
