import { Fault } from '../base/fault.ts';
import { type DerReader, readDer, readEach, readInside, tags } from './der.ts';
import { readValue } from './extension.ts';
import { oids } from './oid.ts';
import { readTimestamps } from './signed-timestamp.ts';
import { hexLines, longTime, runes } from './text-layout.ts';

interface VendorPrinter {
  title: string;
  lines(value: Buffer): string[];
}

const indent = ' '.repeat(16);

const provisionerTypes = [
  'NOOP',
  'JWK',
  'OIDC',
  'GCP',
  'AWS',
  'Azure',
  'ACME',
  'X5C',
  'K8sSA',
  'SSHPOP',
  'SCEP',
  'Nebula',
];

const endpointKinds = ['Unknown', 'Device', 'Workload', 'People', 'Agent', 'Account'];

export interface StepProvisioner {
  type: string;
  name: string;
  credentialId: string;
  details: readonly (readonly [name: string, value: string])[];
}

/** What step-ca writes down about the provisioner that let a certificate be issued. */
export function readStepProvisioner(value: Buffer): StepProvisioner {
  return readValue('step provisioner', value, (reader) =>
    readInside(reader, tags.sequence, (inner) => ({
      type: nameOfNumber(provisionerTypes, inner.smallInteger()),
      name: inner.octetString().toString(),
      credentialId: inner.octetString().toString(),
      details: readPairs(inner),
    })),
  );
}

function nameOfNumber(names: readonly string[], number: number): string {
  return names[number] ?? `${number} (unknown)`;
}

/** A flat list of names and values; a last name without a value gets a hyphen. */
function readPairs(reader: DerReader): [string, string][] {
  if (reader.atEnd) return [];
  const texts = readInside(reader, tags.sequence, (inner) => readEach(inner, readString));
  return Array.from({ length: Math.ceil(texts.length / 2) }, (_, index) => [
    texts[2 * index]!,
    texts[2 * index + 1] ?? '-',
  ]);
}

function readString(reader: DerReader): string {
  const tag = reader.nextTag === tags.printableString ? tags.printableString : tags.utf8String;
  return reader.content(tag).toString();
}

function stepSequence<T>(value: Buffer, read: (inner: DerReader) => T): T {
  return readValue('of step', value, (reader) => readInside(reader, tags.sequence, read));
}

const step: Readonly<Record<string, VendorPrinter>> = {
  '1.3.6.1.4.1.37476.9000.64.1': {
    title: 'X509v3 Step Provisioner',
    lines(value) {
      const { type, name, credentialId, details } = readStepProvisioner(value);
      const credential = credentialId ? [['CredentialID', credentialId] as const] : [];
      return pairLines([['Type', type], ['Name', name], ...credential, ...details]);
    },
  },
  '1.3.6.1.4.1.37476.9000.64.2': {
    title: 'X509v3 Step Registration Authority',
    lines: (value) =>
      stepSequence(value, (inner) => {
        const type = readString(inner);
        const id = inner.atEnd || inner.nextTag === tags.sequence ? '' : readString(inner);
        const certificate = id ? [['CertificateID', id] as const] : [];
        return pairLines([['Type', type], ...certificate, ...readPairs(inner)]);
      }),
  },
  '1.3.6.1.4.1.37476.9000.64.3': {
    title: 'X509v3 Step Managed Endpoint',
    lines: (value) =>
      stepSequence(value, (inner) => {
        const kind = nameOfNumber(endpointKinds, inner.smallInteger());
        return pairLines([
          ['Kind', kind],
          ['EndpointID', readString(inner)],
        ]);
      }),
  },
  '1.3.6.1.4.1.37476.9000.64.4': {
    title: 'X509v3 Step Managed Device',
    lines: (value) => stepSequence(value, (inner) => pairLines([['DeviceID', readString(inner)]])),
  },
};

function pairLines(pairs: readonly (readonly [string, string])[]): string[] {
  return pairs.map(([name, value]) => `${indent}${name}: ${value}`);
}

/** Fulcio's extensions hold bare text. */
const sigstore = Object.fromEntries(
  [
    'OIDC Issuer',
    'GitHub Workflow Trigger',
    'GitHub Workflow SHA Hash',
    'GitHub Workflow Name',
    'GitHub Workflow Repository',
    'GitHub Workflow Ref',
  ].map((title, index): [string, VendorPrinter] => [
    `1.3.6.1.4.1.57264.1.${index + 1}`,
    { title: `Sigstore ${title}`, lines: (value) => [indent + value.toString()] },
  ]),
);

const pinPolicies = ['', 'never', 'once per session', 'always'];
const touchPolicies = ['', 'never', 'always', 'once per session'];
const formFactors = [
  '',
  'USB-A Keychain',
  'USB-A Nano',
  'USB-C Keychain',
  'USB-C Nano',
  'Lightning or USB-C',
];

function policyLine(title: string, names: readonly string[], byte: number): string {
  return `${indent}${title} policy: ${names[byte] || `unknown (0x${byte.toString(16).padStart(2, '0')})`}`;
}

function formFactor(byte: number | undefined): string {
  if (byte === undefined) return 'unknown';
  const certified = byte > 80;
  const name = formFactors[certified ? byte - 80 : byte];
  if (!name) return `unknown (0x${byte.toString(16).padStart(2, '0')})`;
  return certified ? `${name} (FIPS)` : name;
}

/** PIV attestation, as Yubico documents it; form factors of FIPS devices counted as step counts them. */
const yubiKey: Readonly<Record<string, VendorPrinter>> = {
  '1.3.6.1.4.1.41482.3.3': {
    title: 'X509v3 YubiKey Firmware Version',
    lines: (value) => [indent + (value.join('.') || 'unknown')],
  },
  '1.3.6.1.4.1.41482.3.7': {
    title: 'X509v3 YubiKey Serial Number',
    lines: (value) => [
      indent + readValue('YubiKey serial number', value, (reader) => reader.smallInteger(2 ** 47)),
    ],
  },
  '1.3.6.1.4.1.41482.3.8': {
    title: 'X509v3 YubiKey Policy',
    lines([pin, touch]) {
      if (pin === undefined) return [`${indent}unknown`];
      return [
        policyLine('PIN', pinPolicies, pin),
        ...(touch === undefined ? [] : [policyLine('Touch', touchPolicies, touch)]),
      ];
    },
  },
  '1.3.6.1.4.1.41482.3.9': {
    title: 'X509v3 YubiKey Formfactor',
    lines: ([byte]) => [indent + formFactor(byte)],
  },
  '1.3.6.1.4.1.41482.3.10': {
    title: 'X509v3 YubiKey Certification',
    lines: () => [`${indent}FIPS Certified`],
  },
  '1.3.6.1.4.1.41482.3.11': {
    title: 'X509v3 YubiKey Certification',
    lines: () => [`${indent}CSPN Certified`],
  },
};

const transparency: VendorPrinter = {
  title: 'RFC6962 Certificate Transparency SCT',
  lines: (value) =>
    readTimestamps(value).flatMap(({ version, logId, timestampMs, algorithm, signature }, index) => [
      `${indent}SCT [${index}]:`,
      `${indent}    Version: V${version + 1} (0x${version.toString(16)})`,
      `${indent}    LogID: ${logId.toString('base64')}`,
      `${indent}    Timestamp: ${longTime(timestampMs, true)}`,
      `${indent}    Signature Algorithm: ${algorithm}`,
      ...hexLines(signature, 18, 22),
    ]),
};

const tpmSpecification = '2.23.133.2.16';

/** Only what a TPM's endorsement certificate says in it has words; one attribute, as is usual. */
const directoryAttributes: VendorPrinter = {
  title: 'X509v3 Subject Directory Attributes',
  lines(value) {
    try {
      return [indent + readDer(value, (reader) => readInside(reader, tags.sequence, attributeInWords))];
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      return [indent + runes(value).text];
    }
  },
};

function attributeInWords(attributes: DerReader): string {
  return readInside(attributes, tags.sequence, (attribute) => {
    const oid = attribute.oid();
    const values = attribute.enter(tags.set);
    if (oid !== tpmSpecification) return `${oid}: 0x${everything(values).toString('hex')}`;
    return readInside(values, tags.sequence, (specification) => {
      const family = specification.content(tags.utf8String).toString();
      const level = specification.smallInteger();
      return `TPM Specification: Family: ${family}, Level: ${level}, Revision: ${specification.smallInteger()}`;
    });
  });
}

function everything(reader: DerReader): Buffer {
  return Buffer.concat(readEach(reader, (each) => each.anything()));
}

/** Printers of extensions that are not in RFC 5280, by object identifier. */
export const vendorExtensions: Readonly<Record<string, VendorPrinter>> = {
  ...step,
  ...sigstore,
  ...yubiKey,
  [oids.signedCertificateTimestamps]: transparency,
  [oids.subjectDirectoryAttributes]: directoryAttributes,
};
