import { Fault } from '../../../base/fault.ts';
import { type Certificate, isSelfSigned, serialText } from '../../../x509/certificate.ts';
import { commonName, comparable } from '../../../x509/name.ts';
import { oids } from '../../../x509/oid.ts';
import { verifyChain } from '../../../x509/verify.ts';
import { matchesAnyGlob, matchesGlob } from '../glob.ts';
import type { CertRole } from './cert-role.ts';
import { extensionHex, extensionText } from './extension-text.ts';

/** A role with what it trusts. */
export interface TrustedRole {
  role: CertRole;
  certificates: readonly Certificate[];
}

/** What a client has shown: its own certificate, and what is to chain it up. */
export interface ShownChain {
  leaf: Certificate;
  intermediates: readonly Certificate[];
}

/** Serial numbers that revocation lists hold, as `issuer serial`. */
export type RevokedSerials = ReadonlySet<string>;

export function revokedName(issuer: string, serial: Uint8Array): string {
  return `${issuer} ${serialText(serial)}`;
}

export type CertVerdict = { role: CertRole } | { refusal: string };

const untrusted = 'invalid certificate or no client certificate supplied';
const unmatched = 'no chain matching all constraints could be found for this login certificate';

/** The first of the roles whose trust the client's certificate has, and whose constraints it meets. */
export function judgeCertificate(
  shown: ShownChain,
  { roles, revoked, atMs }: { roles: readonly TrustedRole[]; revoked: RevokedSerials; atMs: number },
): CertVerdict {
  let refusal = untrusted;
  for (const trusted of roles) {
    const chain = trustedChain(shown, trusted, atMs);
    if (!chain) continue;
    refusal = unmatched;
    if (!chain.some((each) => isRevoked(each, revoked)) && meets(shown.leaf, trusted.role)) {
      return { role: trusted.role };
    }
  }
  return { refusal };
}

/** From the client's certificate up to one that the role trusts; good for a TLS client at that time. */
function trustedChain(
  { leaf, intermediates }: ShownChain,
  { certificates }: TrustedRole,
  atMs: number,
): readonly Certificate[] | undefined {
  const options = { intermediates, at: atMs, usage: 'client auth' } as const;
  const pinned = certificates.find((each) => !isAuthority(each) && each.der.equals(leaf.der));
  const roots = pinned ? [pinned] : certificates.filter(isAuthority);
  try {
    const verdict = verifyChain(leaf, { ...options, roots, leafMayBeAnchor: pinned ? 'always' : 'never' });
    return verdict.valid ? verdict.chain : undefined;
  } catch (error) {
    // What cannot be read proves nothing.
    if (error instanceof Fault) return undefined;
    throw error;
  }
}

function isAuthority(certificate: Certificate): boolean {
  return certificate.isCa || (certificate.version < 3 && isSelfSigned(certificate));
}

function isRevoked({ issuer, serial }: Certificate, revoked: RevokedSerials): boolean {
  return revoked.has(revokedName(comparable(issuer), serial));
}

/** Whether a certificate keeps to everything that a role asks for; of a list that is empty, nothing. */
export function meets(leaf: Certificate, role: CertRole): boolean {
  const cn = [commonName(leaf.subject) ?? ''];
  const names = (type: string) =>
    leaf.subjectAltNames.flatMap((name) =>
      name.type === type && typeof name.value === 'string' ? [name.value] : [],
    );
  const units = leaf.subject.rdns
    .flat()
    .flatMap(({ oid, value }) => (oid === oids.organizationalUnit ? [value] : []));
  const asked: [readonly string[], readonly string[]][] = [
    [role.allowed_names, [...cn, ...names('dns'), ...names('email')]],
    [role.allowed_common_names, cn],
    [role.allowed_dns_sans, names('dns')],
    [role.allowed_email_sans, names('email')],
    [role.allowed_uri_sans, names('uri')],
    [role.allowed_organizational_units, units],
  ];
  return (
    asked.every(([globs, has]) => globs.length === 0 || has.some((text) => matchesAnyGlob(globs, text))) &&
    role.required_extensions.every((required) => hasExtension(leaf, required))
  );
}

function hasExtension(leaf: Certificate, required: string): boolean {
  const [, hex, oid, value] = /^(hex:)?([0-9.]+):(.*)$/s.exec(required) ?? [];
  if (oid === undefined) return false;
  const found = hex ? extensionHex(leaf, oid) : extensionText(leaf, oid);
  return found !== undefined && matchesGlob(hex ? value!.toLowerCase() : value!, found);
}
