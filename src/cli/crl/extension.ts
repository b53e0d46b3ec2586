import { Fault } from '../../base/fault.ts';
import { context, contextConstructed, DerReader, readEach, tags } from '../../x509/der.ts';
import {
  type Extension,
  readAuthorityKeyIdentifier,
  readExtensions,
  readValue,
} from '../../x509/extension.ts';
import { formatGeneralName, type GeneralName, readGeneralNames } from '../../x509/general-name.ts';
import { oids } from '../../x509/oid.ts';
import { runes, upperHex } from '../../x509/text-layout.ts';

/** An extension of a list or of one of its entries, in words and as step's JSON has it. */
export interface PrintedExtension {
  name: string;
  details: readonly string[];
  json: Readonly<Record<string, unknown>>;
}

const reasons = [
  'Unspecified',
  'Key Compromise',
  'CA Compromise',
  'Affiliation Changed',
  'Superseded',
  'Cessation Of Operation',
  'Certificate Hold',
  undefined,
  'Remove From CRL',
  'Privilege Withdrawn',
  'AA Compromise',
] as const;

/** What an extension says; what cannot be read is shown as its bytes. */
export function printedExtension(extension: Extension): PrintedExtension {
  const { name, details, json } = known(extension) ?? unknown(extension);
  if (!extension.critical) return { name, details, json };
  return { name: `${name} critical`, details, json: { critical: true, ...json } };
}

function known(extension: Extension): PrintedExtension | undefined {
  const print = printers[extension.oid];
  if (!print) return undefined;
  try {
    return print(extension.value);
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}

function unknown({ oid, value }: Extension): PrintedExtension {
  return { name: oid, details: [runes(value).text], json: { [oid]: value.toString('base64') } };
}

const printers: Readonly<Record<string, (value: Buffer) => PrintedExtension>> = {
  [oids.crlReason](value) {
    const number = readValue('CRL reason', value, (reader) =>
      reader.smallInteger(undefined, tags.enumerated),
    );
    const reason = reasons[number] ?? `ReasonCode(${number}): unknown`;
    return { name: 'X509v3 CRL Reason Code:', details: [reason], json: { crl_reason_code: reason } };
  },
  [oids.crlNumber](value) {
    const content = readValue('CRL number', value, (reader) => reader.integer());
    const number = BigInt.asIntN(content.length * 8, BigInt(`0x${content.toString('hex')}`)).toString();
    return { name: 'X509v3 CRL Number:', details: [number], json: { crl_number: number } };
  },
  [oids.authorityKeyIdentifier](value) {
    const { keyId } = readAuthorityKeyIdentifier(value);
    return {
      name: 'X509v3 Authority Key Identifier:',
      details: keyId ? [`keyid:${upperHex(keyId)}`] : [],
      json: { authority_key_id: value.toString('hex') },
    };
  },
  [oids.issuingDistributionPoint]: issuingDistributionPoint,
};

/** RFC 5280 section 5.2.5. */
function issuingDistributionPoint(value: Buffer): PrintedExtension {
  return readValue('issuing distribution point', value, (reader) => {
    const inner = reader.enter(tags.sequence);
    const names = fullNames(inner).map((name) =>
      name.type === 'uri' ? `URI:${name.value}` : formatGeneralName(name),
    );
    const users = flag(inner, 1);
    const authorities = flag(inner, 2);
    const some = inner.nextTag === context(3) ? inner.bitString(context(3)).bytes : undefined;
    const indirect = flag(inner, 4);
    const attributes = flag(inner, 5);
    inner.finish();
    return {
      name: 'X509v3 Issuing Distribution Point:',
      details: [
        ...(names.length > 0 ? ['Full Name:', ...names.map((name) => `    ${name}`)] : []),
        ...(users ? ['Only User Certificates'] : []),
        ...(authorities ? ['Only CA Certificates'] : []),
        ...(attributes ? ['Only Attribute Certificates'] : []),
        ...(indirect ? ['Indirect CRL'] : []),
        ...(some ? [`Reasons: ${some.toString('hex')}`] : []),
      ],
      json: {
        issuing_distribution_point: {
          full_names: names,
          ...(attributes ? { only_attribute_certificates: true } : {}),
          ...(authorities ? { only_ca_certificates: true } : {}),
          ...(some ? { only_some_reasons: some.toString('base64') } : {}),
          ...(users ? { only_user_certificates: true } : {}),
          ...(indirect ? { indirect_crl: true } : {}),
        },
      },
    };
  });
}

function fullNames(reader: DerReader): readonly GeneralName[] {
  const point = reader.enterIf(contextConstructed(0));
  if (point?.nextTag === contextConstructed(0)) return readGeneralNames(point, contextConstructed(0));
  return [];
}

function flag(reader: DerReader, number: number): boolean {
  return reader.nextTag === context(number) && reader.content(context(number))[0] !== 0;
}

/** The extensions of each entry of a list that has been read, in its order. */
export function entryExtensions(tbs: Buffer): Extension[][] {
  const reader = new DerReader(tbs, { sizeBytes: tbs.length, depth: 16 }).enter(tags.sequence);
  if (reader.nextTag === tags.integer) reader.element();
  // Algorithm, issuer and the first time.
  for (let element = 0; element < 3; element++) reader.element();
  if (reader.nextTag === tags.utcTime || reader.nextTag === tags.generalizedTime) reader.element();
  const entries = reader.enterIf(tags.sequence);
  return entries ? readEach(entries, readEntryExtensions) : [];
}

function readEntryExtensions(entries: DerReader): Extension[] {
  const entry = entries.enter(tags.sequence);
  // Serial number and date.
  entry.element();
  entry.element();
  return entry.atEnd ? [] : readExtensions(entry);
}
