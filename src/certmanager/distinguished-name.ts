import { Fault } from '../base/fault.ts';
import { writeDer } from '../x509/der.ts';
import { type Name, readName } from '../x509/name.ts';
import { isOid, oids } from '../x509/oid.ts';
import { directoryStringTag } from '../x509/text.ts';

/** Attribute types that spec.literalSubject may name; any other is written as a dotted OID. */
const attributeTypes: Readonly<Record<string, string>> = {
  C: oids.country,
  O: oids.organization,
  OU: oids.organizationalUnit,
  CN: oids.commonName,
  SERIALNUMBER: oids.serialNumber,
  L: oids.locality,
  ST: oids.province,
  STREET: oids.streetAddress,
  DC: oids.domainComponent,
  UID: oids.userId,
};

/**
 * The name that an RFC 4514 text such as `CN=web,OU=mesh,O=example` writes; the text's last part is encoded first.
 *
 * @throws Fault `certmanager.subject`
 */
export function parseDistinguishedName(text: string): Name {
  const rdns = splitOutside(text, /[,;]/).map((rdn) => splitOutside(rdn, /\+/).map(readAttribute));
  const der = writeDer((writer) =>
    writer.sequence(() => {
      for (const rdn of rdns.toReversed()) {
        const members = rdn.map(({ oid, value }) =>
          writeDer((one) => one.sequence(() => one.oid(oid).text(directoryStringTag(value), value))),
        );
        writer.set(() => {
          for (const member of members.toSorted((a, b) => Buffer.compare(a, b))) writer.raw(member);
        });
      }
    }),
  );
  return readName(der);
}

/** Cuts at each separator that is not escaped. */
function splitOutside(text: string, separator: RegExp): string[] {
  const parts = [''];
  for (const [token] of text.matchAll(/\\.|[^\\]|\\$/gsu)) {
    if (token.length === 1 && separator.test(token)) parts.push('');
    else parts[parts.length - 1] += token;
  }
  return parts;
}

function readAttribute(text: string): { oid: string; value: string } {
  const equals = text.indexOf('=');
  const type = text.slice(0, Math.max(0, equals)).trim();
  const oid = attributeTypes[type] ?? (isOid(type) ? type : undefined);
  if (oid === undefined) {
    throw subjectFault(`${JSON.stringify(text.trim())} is not an attribute`);
  }
  return { oid, value: unescaped(text.slice(equals + 1)) };
}

/** RFC 4514 section 2.4: `\,` and the like, and `\C3\A9` for bytes of UTF-8. Unescaped space at the ends is none. */
function unescaped(text: string): string {
  const trimmed = text.trimStart().replace(/(?<!\\) +$/, '');
  const bytes: Buffer[] = [];
  for (const [token] of trimmed.matchAll(/\\[0-9a-fA-F]{2}|\\.|[^\\]|\\$/gsu)) {
    if (token === '\\') throw subjectFault(`${JSON.stringify(text)} ends in a backslash`);
    if (/^\\[0-9a-fA-F]{2}$/.test(token)) bytes.push(Buffer.from(token.slice(1), 'hex'));
    else bytes.push(Buffer.from(token.replace(/^\\/, ''), 'utf8'));
  }
  return Buffer.concat(bytes).toString('utf8');
}

function subjectFault(message: string): Fault {
  return new Fault(`spec.literalSubject: ${message}`, {
    code: 'certmanager.subject',
    blame: 'caller',
    fix: 'write it like CN=web,OU=mesh,O=example',
  });
}
