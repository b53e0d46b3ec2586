import { Fault } from '../base/fault.ts';
import type { Certificate } from '../x509/certificate.ts';
import { forbiddenName, nameConstraintsOf } from '../x509/permitted-name.ts';
import { refused } from './refused.ts';

/**
 * Holds a new certificate against the name constraints of the CAs above it: whoever trusts them would not take it
 * (RFC 5280 section 4.2.1.10). `chain` holds what is above `issuer`; where several ways lead up, one is enough.
 *
 * @throws Fault `authority.name`
 */
export function checkPermitted(
  certificate: Certificate,
  issuer: Certificate,
  chain: readonly Certificate[],
): void {
  if (![issuer, ...chain].some(nameConstraintsOf)) return;
  const above = chain.filter((other) => other !== issuer);
  const name = forbiddenBy(certificate, issuer, above);
  if (name !== undefined) {
    throw refused('name', `verification failed: the name constraints of a CA above do not allow ${name}`);
  }
}

function forbiddenBy(
  certificate: Certificate,
  authority: Certificate,
  above: readonly Certificate[],
): string | undefined {
  const name = forbidden(certificate, authority);
  if (name !== undefined || authority.subject.der.equals(authority.issuer.der)) return name;
  const [first, ...others] = above
    .filter(({ subject }) => subject.der.equals(authority.issuer.der))
    .map((parent) =>
      forbiddenBy(
        certificate,
        parent,
        above.filter((other) => other !== parent),
      ),
    );
  return others.includes(undefined) ? undefined : first;
}

function forbidden(certificate: Certificate, authority: Certificate): string | undefined {
  const constraints = nameConstraintsOf(authority);
  if (!constraints) return undefined;
  try {
    return forbiddenName(certificate, constraints, { comparisonsLeft: Infinity });
  } catch (error) {
    // Constraints that not all verifiers read alike are for them to judge.
    if (error instanceof Fault && error.code === 'x509.name-constraints') return undefined;
    throw error;
  }
}
