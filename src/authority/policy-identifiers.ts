import { tags, writeDer } from '../x509/der.ts';
import type { Extension } from '../x509/extension.ts';
import { isOid, oids } from '../x509/oid.ts';
import { isAscii } from '../x509/text.ts';
import { refused } from './refused.ts';

/** A certificate policy as a role names it, with what it says about itself. */
interface NamedPolicy {
  oid: string;
  /** URL of the practice statement; empty for none. */
  cps: string;
  /** Text for whoever relies on the certificate; empty for none. */
  notice: string;
}

/**
 * The one form in which a role keeps a policy: its identifier, or JSON where it says more (Vault, PKI API: "create or
 * update role", policy_identifiers).
 *
 * @throws Fault `authority.role`
 */
export function settlePolicyIdentifier(text: string): string {
  const { oid, cps, notice } = readPolicyIdentifier(text);
  if (cps === '' && notice === '') return oid;
  return JSON.stringify({ oid, ...(cps === '' ? {} : { cps }), ...(notice === '' ? {} : { notice }) });
}

function readPolicyIdentifier(text: string): NamedPolicy {
  if (!text.startsWith('{')) return { oid: checkedOid(text, text), cps: '', notice: '' };
  let said: Readonly<Record<string, unknown>>;
  try {
    said = JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw refused('role', `policy identifier ${JSON.stringify(text)} is neither an OID nor JSON`, error);
  }
  const part = (name: string) => {
    const value = said[name] ?? '';
    if (typeof value === 'string') return value.trim();
    throw refused('role', `policy identifier ${JSON.stringify(text)}: ${name} is no text`);
  };
  const cps = part('cps');
  if (!isAscii(cps)) throw refused('role', `policy identifier ${JSON.stringify(text)}: cps is not ASCII`);
  return { oid: checkedOid(part('oid'), text), cps, notice: part('notice') };
}

function checkedOid(oid: string, text: string): string {
  if (isOid(oid)) return oid;
  throw refused('role', `policy identifier ${JSON.stringify(text)} is not a valid OID`);
}

/** Certificate policies, each once, not critical (RFC 5280 section 4.2.1.4); none for none. */
export function policyExtension(identifiers: readonly string[]): Extension[] {
  if (identifiers.length === 0) return [];
  const byOid = new Map(identifiers.map(readPolicyIdentifier).map((policy) => [policy.oid, policy]));
  const value = writeDer((writer) =>
    writer.sequence(() => {
      for (const { oid, cps, notice } of byOid.values()) {
        writer.sequence(() => {
          writer.oid(oid);
          if (cps === '' && notice === '') return;
          writer.sequence(() => {
            if (cps !== '') writer.sequence(() => writer.oid(oids.cpsQualifier).text(tags.ia5String, cps));
            if (notice === '') return;
            writer.sequence(() =>
              writer.oid(oids.userNoticeQualifier).sequence(() => writer.text(tags.utf8String, notice)),
            );
          });
        });
      }
    }),
  );
  return [{ oid: oids.certificatePolicies, critical: false, value }];
}
