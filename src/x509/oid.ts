import { Fault } from '../base/fault.ts';

/** Object identifiers by the name that their standard gives them. */
export const oids = {
  // Attributes of names (ITU-T X.520, RFC 4519, PKCS #9)
  commonName: '2.5.4.3',
  surname: '2.5.4.4',
  serialNumber: '2.5.4.5',
  country: '2.5.4.6',
  locality: '2.5.4.7',
  province: '2.5.4.8',
  streetAddress: '2.5.4.9',
  organization: '2.5.4.10',
  organizationalUnit: '2.5.4.11',
  title: '2.5.4.12',
  postalCode: '2.5.4.17',
  name: '2.5.4.41',
  givenName: '2.5.4.42',
  initials: '2.5.4.43',
  generationQualifier: '2.5.4.44',
  dnQualifier: '2.5.4.46',
  pseudonym: '2.5.4.65',
  organizationIdentifier: '2.5.4.97',
  emailAddress: '1.2.840.113549.1.9.1',
  userId: '0.9.2342.19200300.100.1.1',
  domainComponent: '0.9.2342.19200300.100.1.25',
  // Keys
  rsaEncryption: '1.2.840.113549.1.1.1',
  ecPublicKey: '1.2.840.10045.2.1',
  p224: '1.3.132.0.33',
  p256: '1.2.840.10045.3.1.7',
  p384: '1.3.132.0.34',
  p521: '1.3.132.0.35',
  ed25519: '1.3.101.112',
  mldsa44: '2.16.840.1.101.3.4.3.17',
  mldsa65: '2.16.840.1.101.3.4.3.18',
  mldsa87: '2.16.840.1.101.3.4.3.19',
  // Signatures and digests
  md5WithRsa: '1.2.840.113549.1.1.4',
  sha1WithRsa: '1.2.840.113549.1.1.5',
  rsaPss: '1.2.840.113549.1.1.10',
  sha256WithRsa: '1.2.840.113549.1.1.11',
  sha384WithRsa: '1.2.840.113549.1.1.12',
  sha512WithRsa: '1.2.840.113549.1.1.13',
  ecdsaWithSha1: '1.2.840.10045.4.1',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  ecdsaWithSha384: '1.2.840.10045.4.3.3',
  ecdsaWithSha512: '1.2.840.10045.4.3.4',
  sha1: '1.3.14.3.2.26',
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
  mgf1: '1.2.840.113549.1.1.8',
  // Extensions (RFC 5280 section 4.2, RFC 6962, RFC 7633)
  subjectDirectoryAttributes: '2.5.29.9',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  issuerAltName: '2.5.29.18',
  basicConstraints: '2.5.29.19',
  crlNumber: '2.5.29.20',
  crlReason: '2.5.29.21',
  invalidityDate: '2.5.29.24',
  deltaCrlIndicator: '2.5.29.27',
  issuingDistributionPoint: '2.5.29.28',
  certificateIssuer: '2.5.29.29',
  nameConstraints: '2.5.29.30',
  crlDistributionPoints: '2.5.29.31',
  certificatePolicies: '2.5.29.32',
  policyMappings: '2.5.29.33',
  authorityKeyIdentifier: '2.5.29.35',
  policyConstraints: '2.5.29.36',
  extendedKeyUsage: '2.5.29.37',
  freshestCrl: '2.5.29.46',
  inhibitAnyPolicy: '2.5.29.54',
  authorityInfoAccess: '1.3.6.1.5.5.7.1.1',
  subjectInfoAccess: '1.3.6.1.5.5.7.1.11',
  netscapeComment: '2.16.840.1.113730.1.13',
  signedCertificateTimestamps: '1.3.6.1.4.1.11129.2.4.2',
  // What access descriptions lead to
  ocsp: '1.3.6.1.5.5.7.48.1',
  caIssuers: '1.3.6.1.5.5.7.48.2',
  // OCSP (RFC 6960)
  ocspBasic: '1.3.6.1.5.5.7.48.1.1',
  ocspNonce: '1.3.6.1.5.5.7.48.1.2',
  // Policies and their qualifiers
  anyPolicy: '2.5.29.32.0',
  cpsQualifier: '1.3.6.1.5.5.7.2.1',
  userNoticeQualifier: '1.3.6.1.5.5.7.2.2',
  // Purposes of keys
  anyExtendedKeyUsage: '2.5.29.37.0',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  emailProtection: '1.3.6.1.5.5.7.3.4',
  ipsecEndSystem: '1.3.6.1.5.5.7.3.5',
  ipsecTunnel: '1.3.6.1.5.5.7.3.6',
  ipsecUser: '1.3.6.1.5.5.7.3.7',
  timeStamping: '1.3.6.1.5.5.7.3.8',
  ocspSigning: '1.3.6.1.5.5.7.3.9',
  // Attributes of requests
  extensionRequest: '1.2.840.113549.1.9.14',
  challengePassword: '1.2.840.113549.1.9.7',
} as const;

/** Longest encoded identifier accepted; the longest in use (UUIDs under 2.25) take 20 bytes. */
const longestOidBytes = 128;

/** Below this a component fits a number with room for seven more bits. */
const exactBelow = 2 ** 46;

/**
 * Dotted form of an object identifier's content octets (ITU-T X.690 section 8.19), or undefined where they are
 * none, or not in their shortest form.
 */
export function decodeOid(content: Uint8Array): string | undefined {
  const { length } = content;
  if (length === 0 || length > longestOidBytes || content[length - 1]! >= 0x80) return undefined;
  let dotted = '';
  let component: number | bigint = 0;
  let first = true;
  let fresh = true;
  for (const byte of content) {
    if (fresh && byte === 0x80) return undefined;
    if (typeof component === 'number' && component >= exactBelow) component = BigInt(component);
    component =
      typeof component === 'number'
        ? component * 128 + (byte & 0x7f)
        : (component << 7n) | BigInt(byte & 0x7f);
    fresh = byte < 0x80;
    if (!fresh) continue;
    dotted += first ? firstTwo(component) : `.${component}`;
    first = false;
    component = 0;
  }
  return dotted;
}

/** The first component holds two: 40 times the first arc (0, 1 or 2) and the second arc. */
function firstTwo(component: number | bigint): string {
  if (component < 40) return `0.${component}`;
  if (component < 80) return `1.${Number(component) - 40}`;
  return typeof component === 'number' ? `2.${component - 80}` : `2.${component - 80n}`;
}

const encoded = new Map<string, Buffer>(Object.values(oids).map((dotted) => [dotted, compute(dotted)]));

/**
 * Content octets of an object identifier in dotted form.
 *
 * @throws Fault `x509.oid` where `dotted` is none.
 */
export function encodeOid(dotted: string): Buffer {
  return encoded.get(dotted) ?? compute(dotted);
}

/** Whether `dotted` is an object identifier in dotted form. */
export function isOid(dotted: string): boolean {
  return dotted.length <= 256 && /^(?:[01]\.[1-3]?\d|2\.(?:0|[1-9]\d*))(?:\.(?:0|[1-9]\d*))*$/.test(dotted);
}

function compute(dotted: string): Buffer {
  if (!isOid(dotted)) {
    throw new Fault(`${JSON.stringify(dotted)} is not an object identifier`, {
      code: 'x509.oid',
      blame: 'caller',
      fix: 'write it like 2.5.29.17',
    });
  }
  const [arc, second, ...rest] = dotted.split('.').map(BigInt);
  const bytes = [arc! * 40n + second!, ...rest].flatMap(base128);
  if (bytes.length > longestOidBytes) {
    throw new Fault('an object identifier that is too long', { code: 'x509.oid', blame: 'caller' });
  }
  return Buffer.from(bytes);
}

function base128(component: bigint): number[] {
  const bytes = [Number(component & 0x7fn)];
  for (let left = component >> 7n; left > 0n; left >>= 7n) bytes.unshift(Number(left & 0x7fn) | 0x80);
  return bytes;
}
