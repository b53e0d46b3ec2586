import type { Certificate } from './certificate.ts';
import type { CertificateList } from './crl.ts';
import { context, contextConstructed, type DerReader, readEach, readInside, tags, writeDer } from './der.ts';
import { findExtension, readValue } from './extension.ts';
import { formatGeneralName, type GeneralName, readGeneralNames } from './general-name.ts';
import { comparable, comparableRdns, type Name, readName, sameName } from './name.ts';
import { oids } from './oid.ts';

/** A set of reasons for revocation, as the bits of ReasonFlags (RFC 5280 section 4.2.1.13) from bit 1 up. */
export type Reasons = number;

export const everyReason: Reasons = 0x1_fe;

/** Where lists are found: names in comparable form, undefined where none is given. */
type PointNames = ReadonlySet<string> | undefined;

/** A place that a certificate says its revocation is told at (RFC 5280 section 4.2.1.13). */
export interface RevocationPoint {
  names: PointNames;
  reasons: Reasons;
  /** Names of who signs the lists there, where that is not the certificate's issuer. */
  crlIssuer: readonly GeneralName[] | undefined;
}

/** What a list says it is about (RFC 5280 section 5.2.5). */
interface ListScope {
  names: PointNames;
  users: boolean;
  authorities: boolean;
  indirect: boolean;
  reasons: Reasons;
}

/**
 * Where to look for a certificate's revocation: the points it names, and then whatever list its issuer signs
 * (RFC 5280 section 6.3.3).
 *
 * @throws Fault `x509.extension.malformed`
 */
export function revocationPoints(certificate: Certificate): RevocationPoint[] {
  const extension = findExtension(certificate.extensions, oids.crlDistributionPoints);
  const own = extension
    ? readValue('CRL distribution points', extension.value, (reader) =>
        readInside(reader, tags.sequence, (inner) =>
          readEach(inner, (each) =>
            readInside(each, tags.sequence, (point) => readPoint(point, certificate.issuer)),
          ),
        ),
      )
    : [];
  const issuer = nameKey({ type: 'directory', value: certificate.issuer });
  return [...own, { names: new Set([issuer]), reasons: everyReason, crlIssuer: undefined }];
}

function readPoint(reader: DerReader, issuer: Name): RevocationPoint {
  const name = reader.nextTag === contextConstructed(0) ? readPointName(reader) : undefined;
  const reasons = reader.nextTag === context(1) ? readReasons(reader, context(1)) : everyReason;
  const crlIssuer =
    reader.nextTag === contextConstructed(2) ? readGeneralNames(reader, contextConstructed(2)) : undefined;
  const signer = crlIssuer?.find((one) => one.type === 'directory')?.value ?? issuer;
  return { names: name?.(signer), reasons, crlIssuer };
}

/** The names of a point, given the name that a relative one continues. */
function readPointName(reader: DerReader): (base: Name) => ReadonlySet<string> {
  return readInside(reader, contextConstructed(0), (choice) => {
    if (choice.nextTag === contextConstructed(0)) {
      const full = new Set(readGeneralNames(choice, contextConstructed(0)).map(nameKey));
      return () => full;
    }
    const content = choice.content(contextConstructed(1));
    const relative = readName(
      writeDer((writer) => writer.sequence(() => writer.primitive(tags.set, content))),
    );
    return (base) =>
      new Set([directoryKey(JSON.stringify([...comparableRdns(base), ...comparableRdns(relative)]))]);
  });
}

function readReasons(reader: DerReader, tag: number): Reasons {
  const { bytes } = reader.bitString(tag);
  let reasons = 0;
  for (let bit = 1; bit <= 8; bit++) {
    if (((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0) reasons |= 1 << bit;
  }
  return reasons;
}

function nameKey(name: GeneralName): string {
  if (name.type === 'directory') return directoryKey(comparable(name.value));
  return `${name.type}:${formatGeneralName(name)}`;
}

function directoryKey(rdns: string): string {
  return `directory:${rdns}`;
}

/** A certificate may name thousands of points, and each is compared with every list of its issuer. */
const scopesRead = new WeakMap<CertificateList, ListScope>();

function scopeOf(list: CertificateList): ListScope {
  const scope = scopesRead.get(list) ?? readScope(list);
  scopesRead.set(list, scope);
  return scope;
}

function readScope(list: CertificateList): ListScope {
  const extension = findExtension(list.extensions, oids.issuingDistributionPoint);
  if (!extension) {
    return { names: undefined, users: true, authorities: true, indirect: false, reasons: everyReason };
  }
  return readValue('issuing distribution point', extension.value, (reader) =>
    readInside(reader, tags.sequence, (inner) => {
      const flag = (number: number) => inner.nextTag === context(number) && readFlag(inner, context(number));
      const name = inner.nextTag === contextConstructed(0) ? readPointName(inner) : undefined;
      const onlyUsers = flag(1);
      const onlyAuthorities = flag(2);
      const reasons = inner.nextTag === context(3) ? readReasons(inner, context(3)) : everyReason;
      const indirect = flag(4);
      const onlyAttributes = flag(5);
      return {
        names: name?.(list.issuer),
        users: !onlyAuthorities && !onlyAttributes,
        authorities: !onlyUsers && !onlyAttributes,
        indirect,
        reasons,
      };
    }),
  );
}

function readFlag(reader: DerReader, tag: number): boolean {
  return reader.content(tag)[0] === 0xff;
}

/**
 * The reasons for which `list` tells the certificate's revocation at a point (RFC 5280 section 6.3.3 (b, d)); none
 * where it is about others.
 */
export function coveredReasons(
  list: CertificateList,
  point: RevocationPoint,
  certificate: Certificate,
): Reasons {
  const scope = scopeOf(list);
  const { crlIssuer } = point;
  const issues = crlIssuer
    ? scope.indirect && crlIssuer.some((one) => one.type === 'directory' && sameName(one.value, list.issuer))
    : sameName(list.issuer, certificate.issuer);
  if (!issues || !(certificate.isCa ? scope.authorities : scope.users)) return 0;
  const names = point.names ?? new Set(crlIssuer?.map(nameKey));
  if (scope.names && ![...scope.names].some((name) => names.has(name))) return 0;
  return scope.reasons & point.reasons;
}
