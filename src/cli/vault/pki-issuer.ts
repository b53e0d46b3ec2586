import { Fault } from '../../base/fault.ts';
import { type Certificate, isSignedBy, readCertificates } from '../../x509/certificate.ts';
import { verifyChain } from '../../x509/verify.ts';
import type { VaultClient } from './client.ts';
import type { Secret } from './secret.ts';
import { isList, plainText, type Value } from './value.ts';

/** An issuer as a server tells of it; any path will do that answers a certificate and its chain. */
export interface KnownIssuer {
  certificate: Certificate;
  /** Its own certificate first. */
  chain: readonly Certificate[];
  /** Empty where it is not told. */
  keyId: string;
  secret: Secret;
}

/** @throws Fault for what is not answered, or is no issuer */
export async function readIssuer(client: VaultClient, path: string): Promise<KnownIssuer> {
  const secret = await client.find({ method: 'GET', path });
  if (!secret?.data) throw lacking('nil response received, certificate field unavailable');
  const { certificate, ca_chain: chain, key_id } = secret.data;
  if (certificate === undefined) throw lacking('response did not contain field: certificate');
  if (typeof certificate !== 'string' || certificate === '') {
    throw lacking(`field certificate value was blank or not a string: ${plainText(certificate)}`);
  }
  if (chain === undefined) {
    throw lacking(`unable to parse issuer ${path}'s CA chain: response did not contain field: ca_chain`);
  }
  const [own] = readCertificates(certificate);
  if (!own) throw lacking(`unable to parse issuer ${path}'s certificate: it is not PEM`);
  return {
    certificate: own,
    chain: texts(chain).flatMap(readCertificates),
    keyId: typeof key_id === 'string' ? key_id : '',
    secret,
  };
}

function lacking(message: string): Fault {
  return new Fault(message, { code: 'vault-client.answer', blame: 'peer' });
}

export function texts(value: Value | undefined): string[] {
  return isList(value) ? value.filter((one): one is string => typeof one === 'string') : [];
}

/** What ties a certificate to its possible issuer. */
export interface Matches {
  key_id_match: boolean;
  path_match: boolean;
  signature_match: boolean;
  subject_match: boolean;
  trust_match: boolean;
}

/** @throws Fault for a child that nobody could trust, such as one that is over */
export function matchesBetween(parent: KnownIssuer, child: KnownIssuer, atMs: number): Matches {
  const { certificate: upper } = parent;
  const { certificate: lower } = child;
  return {
    key_id_match: (lower.authorityKeyId ?? nothing).equals(upper.subjectKeyId ?? nothing),
    path_match: child.chain.some(({ der }) => der.equals(upper.der)),
    signature_match: upper.isCa && isSignedBy(lower, upper),
    subject_match: upper.subject.der.equals(lower.issuer.der),
    trust_match: isTrusted(lower, upper, atMs),
  };
}

const nothing = Buffer.alloc(0);

function isTrusted(certificate: Certificate, anchor: Certificate, at: number): boolean {
  const verdict = verifyChain(certificate, { roots: [anchor], intermediates: [], at });
  if (verdict.valid) return true;
  if (verdict.code === 'x509.verify.unknown-authority' || verdict.code === 'x509.verify.signature')
    return false;
  throw new Fault(verdict.reason, { code: verdict.code, blame: 'peer' });
}

/** The issuers of a mount as paths, by id or, where `byName`, by name where they have one. */
export async function issuersOf(
  client: VaultClient,
  mount: string,
  { byName = false }: { byName?: boolean } = {},
): Promise<string[]> {
  const list = await client.find({ method: 'GET', path: `${mount}/issuers`, query: { list: 'true' } });
  const ids = texts(list?.data?.keys);
  if (!byName) return ids.map((id) => `${mount}/issuer/${id}`);
  return Promise.all(
    ids.map(async (id) => {
      const issuer = await client.find({ method: 'GET', path: `${mount}/issuer/${id}` });
      const name = issuer?.data?.issuer_name;
      return `${mount}/issuer/${typeof name === 'string' && name !== '' ? name : id}`;
    }),
  );
}
