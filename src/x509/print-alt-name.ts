import { Fault } from '../base/fault.ts';
import { context, readDer, readInside, tags } from './der.ts';
import { readSubjectAltName } from './extension.ts';
import type { GeneralName } from './general-name.ts';
import { decodeText } from './text.ts';

const indent = ' '.repeat(16);

/** Lines of a subject alternative name: one for each common type, then one for each name of a rare type. */
export function altNameLines(value: Buffer): string[] {
  const names = readSubjectAltName(value);
  const line = (type: 'dns' | 'email' | 'ip' | 'uri', title: string) => {
    const texts = names.flatMap((name) => (name.type === type ? [`${title}:${name.value}`] : []));
    return texts.length > 0 ? [indent + texts.join(', ')] : [];
  };
  return [
    ...line('dns', 'DNS'),
    ...line('email', 'email'),
    ...line('ip', 'IP Address'),
    ...line('uri', 'URI'),
    ...names.flatMap((name) => rareNameLines(name).map((text) => indent + text)),
  ];
}

function rareNameLines(name: GeneralName): string[] {
  if (name.type === 'other') return [otherName(name.oid, name.value)];
  if (name.type !== 'directory') return [];
  // A TPM's endorsement certificate describes the chip in a directory name.
  return name.value.rdns.flatMap(([attribute]) => {
    const title = attribute && tpmAttributes[attribute.oid];
    return title && attribute.tag === tags.utf8String ? [`${title}: ${attribute.value}`] : [];
  });
}

/** TCG EK Credential Profile section 3.1.2. */
const tpmAttributes: Readonly<Record<string, string>> = {
  '2.23.133.2.1': 'TPM Manufacturer',
  '2.23.133.2.2': 'TPM Model',
  '2.23.133.2.3': 'TPM Version',
};

const otherNames: Readonly<Record<string, (value: Buffer) => string>> = {
  '1.3.6.1.5.5.7.8.3': permanentIdentifier,
  '1.3.6.1.5.5.7.8.4': hardwareModuleName,
  '1.3.6.1.4.1.311.20.2.3': (value) => `UPN: ${utf8(value)}`,
  '1.3.6.1.4.1.57264.1.7': (value) => `Sigstore Identity: ${utf8(value)}`,
};

/** In words where its type is known and its content is of that type, else in hex. */
function otherName(oid: string, value: Buffer): string {
  try {
    const words = otherNames[oid]?.(value);
    if (words !== undefined) return words;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
  }
  return `OtherName: Type: ${oid}, Value: 0x${value.toString('hex')}`;
}

/** RFC 4043 section 2. */
function permanentIdentifier(value: Buffer): string {
  return readDer(value, (reader) =>
    readInside(reader, tags.sequence, (inner) => {
      const identifier = inner.nextTag === tags.utf8String ? inner.content(tags.utf8String).toString() : '';
      const assigner = inner.atEnd ? '' : `, Assigner: ${inner.oid()}`;
      return `${identifier ? `Permanent Identifier: ${identifier}` : ''}${assigner}`;
    }),
  );
}

/** RFC 4108 section 5. */
function hardwareModuleName(value: Buffer): string {
  return readDer(value, (reader) =>
    readInside(reader, tags.sequence, (inner) => {
      const type = inner.oid();
      // Implicitly tagged in the wild, an octet string in the standard.
      const tag = inner.nextTag === context(4) ? context(4) : tags.octetString;
      return `Hardware Module Name: Type: ${type}, Serial Number: ${inner.content(tag).toString()}`;
    }),
  );
}

function utf8(value: Buffer): string {
  return readDer(value, (reader) => {
    const text = decodeText(tags.utf8String, reader.content(tags.utf8String));
    if (text === undefined) throw new Fault('not UTF-8', { code: 'x509.der.string', blame: 'caller' });
    return text;
  });
}
