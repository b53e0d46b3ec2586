import { signatureAlgorithmName } from '../../x509/algorithm-name.ts';
import type { CertificateList } from '../../x509/crl.ts';
import { formatTime } from '../../x509/format-time.ts';
import type { Name } from '../../x509/name.ts';
import { oids } from '../../x509/oid.ts';
import { algorithmOid } from '../../x509/signature.ts';
import { entryExtensions, printedExtension } from './extension.ts';
import type { CrlVerdict } from './judge.ts';
import { crlVersion, serialDecimal } from './print.ts';

/** A list as `step crl inspect --format json` prints it: the same keys in the same order. */
export function printCrlJson(list: CertificateList, verdict: CrlVerdict): string {
  const algorithm = {
    name: signatureAlgorithmName(list.signatureAlgorithm),
    oid: algorithmOid(list.signatureAlgorithm),
  };
  const extensions = entryExtensions(list.tbs);
  const document = {
    version: crlVersion(list),
    signature_algorithm: algorithm,
    issuer: issuerJson(list.issuer),
    this_update: formatTime(list.thisUpdate),
    next_update: list.nextUpdate === undefined ? null : formatTime(list.nextUpdate),
    revoked_certificates: list.revoked.map(({ serial, revokedAt }, index) => ({
      serial_number: serialDecimal(serial),
      revocation_time: formatTime(revokedAt),
      ...extensionsJson(extensions[index] ?? []),
    })),
    ...extensionsJson(list.extensions),
    signature: {
      signature_algorithm: algorithm,
      value: list.signature.toString('base64'),
      ...verdict,
    },
    AuthorityKeyID: list.authorityKeyId?.toString('base64') ?? null,
    Raw: list.tbs.toString('base64'),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function extensionsJson(extensions: CertificateList['extensions']) {
  if (extensions.length === 0) return {};
  return { extensions: extensions.map((extension) => printedExtension(extension).json) };
}

const lists = [
  ['country', oids.country],
  ['organization', oids.organization],
  ['organizational_unit', oids.organizationalUnit],
  ['locality', oids.locality],
  ['province', oids.province],
  ['street_address', oids.streetAddress],
  ['postal_code', oids.postalCode],
] as const;
const texts = [
  ['serial_number', oids.serialNumber],
  ['common_name', oids.commonName],
] as const;

function issuerJson(name: Name): Record<string, unknown> {
  const attributes = name.rdns.flat();
  const values = (wanted: string) => attributes.filter(({ oid }) => oid === wanted).map(({ value }) => value);
  const parts: [string, unknown][] = [
    ...lists.map(([key, oid]): [string, string[]] => [key, values(oid)]),
    ...texts.map(([key, oid]): [string, string] => [key, values(oid).at(-1) ?? '']),
  ];
  return Object.fromEntries(parts.filter(([, value]) => (value as { length: number }).length > 0));
}
