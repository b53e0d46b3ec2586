import { Fault } from '../../base/fault.ts';
import { type Certificate, isSelfSigned, readCertificate } from '../../x509/certificate.ts';
import { readDer, tags } from '../../x509/der.ts';
import { formatIp, parseIp } from '../../x509/ip-address.ts';
import { type Challenge, keyAuthorization, keyAuthorizationDigest } from './authorization.ts';
import type { Identifier } from './identifier.ts';
import type { Probe, Prober } from './prober.ts';
import { type ProblemDocument, problemOf } from './problem.ts';

// What a name's holder must show for each kind of challenge (RFC 8555 section 8, RFC 8737, RFC 8738). Each judge is
// pure, and answers what is wrong, or undefined where the proof is good. Nothing of what was found is repeated in its
// words: whoever can start a challenge would read with the server's eyes.

/** Vault's own limit: a key authorization has some 76 characters. */
export const mostHttpBytes = 512;

export const acmeProtocol = 'acme-tls/1';
export const acmeIdentifier = '1.3.6.1.5.5.7.1.31';

export interface Attempt {
  identifier: Identifier;
  challenge: Challenge;
  /** Of the account's key. */
  thumbprint: string;
  /** Empty for the machine's own. */
  resolver: string;
  /** Ends the try before its time. */
  signal: AbortSignal;
}

/** Tries a challenge once. */
export async function tryChallenge(attempt: Attempt, prober: Prober): Promise<ProblemDocument | undefined> {
  const { identifier, challenge, resolver, signal } = attempt;
  switch (challenge.type) {
    case 'http-01': {
      const url = `http://${urlHost(identifier)}/.well-known/acme-challenge/${challenge.token}`;
      return judged(await prober.http(url, { resolver, signal, mostBytes: mostHttpBytes }), (found) =>
        judgeHttp(found, attempt),
      );
    }
    case 'dns-01':
      return judged(
        await prober.texts(`_acme-challenge.${identifier.value}`, { resolver, signal }),
        (found) => judgeTexts(found, attempt),
      );
    case 'tls-alpn-01': {
      const options = { resolver, signal, serverName: serverName(identifier), protocol: acmeProtocol };
      return judged(await prober.tls(identifier.value, options), (found) => judgeTls(found, attempt));
    }
  }
}

function judged<T>(
  probe: Probe<T>,
  judge: (found: T) => ProblemDocument | undefined,
): ProblemDocument | undefined {
  return 'found' in probe ? judge(probe.found) : problemOf(probe.failure.type, probe.failure.detail);
}

function urlHost({ type, value }: Identifier): string {
  return type === 'ip' && value.includes(':') ? `[${value}]` : value;
}

/** RFC 8738 section 6: an address is asked for by its name in the reverse tree. */
export function serverName({ type, value }: Identifier): string {
  if (type === 'dns') return value;
  const bytes = parseIp(value)!;
  if (bytes.length === 4) return `${[...bytes].toReversed().join('.')}.in-addr.arpa`;
  return `${bytes.toString('hex').split('').toReversed().join('.')}.ip6.arpa`;
}

const incorrect = (detail: string) => problemOf('incorrectResponse', detail);

/** RFC 8555 section 8.3; white space at the end is passed over. */
export function judgeHttp(
  { status, body }: { status: number; body: Buffer },
  { challenge, thumbprint }: Pick<Attempt, 'challenge' | 'thumbprint'>,
): ProblemDocument | undefined {
  if (status !== 200) return incorrect(`the answer has status ${status}, not 200`);
  if (body.length > mostHttpBytes) return incorrect(`the answer is longer than ${mostHttpBytes} bytes`);
  const shown = body.toString('latin1').trimEnd();
  if (shown === keyAuthorization(challenge, thumbprint)) return undefined;
  return incorrect('the answer is not the key authorization of this challenge');
}

/** RFC 8555 section 8.4: any one of the records. */
export function judgeTexts(
  texts: readonly string[],
  { challenge, thumbprint }: Pick<Attempt, 'challenge' | 'thumbprint'>,
): ProblemDocument | undefined {
  const wanted = keyAuthorizationDigest(challenge, thumbprint).toString('base64url');
  if (texts.includes(wanted)) return undefined;
  return incorrect(`none of the ${texts.length} TXT records is the digest of the key authorization`);
}

/** RFC 8737 section 3. */
export function judgeTls(
  { protocol, chain }: { protocol: string | undefined; chain: readonly Buffer[] },
  { identifier, challenge, thumbprint }: Pick<Attempt, 'identifier' | 'challenge' | 'thumbprint'>,
): ProblemDocument | undefined {
  if (protocol !== acmeProtocol) return incorrect(`the server did not agree on the protocol ${acmeProtocol}`);
  const [der, ...more] = chain;
  if (!der || more.length > 0) return incorrect(`the server showed ${chain.length} certificates, not one`);
  try {
    return judgeCertificate(readCertificate(der), identifier, keyAuthorizationDigest(challenge, thumbprint));
  } catch (error) {
    if (error instanceof Fault) return incorrect('the certificate is malformed');
    throw error;
  }
}

function judgeCertificate(
  certificate: Certificate,
  identifier: Identifier,
  digest: Buffer,
): ProblemDocument | undefined {
  const [name, ...more] = certificate.subjectAltNames;
  if (!name || more.length > 0 || !isFor(name, identifier)) {
    return incorrect('the certificate is not for the identifier alone');
  }
  const extensions = certificate.extensions.filter(({ oid }) => oid === acmeIdentifier);
  const [extension] = extensions;
  if (!extension?.critical || extensions.length > 1) {
    return incorrect('the certificate has no critical acmeIdentifier extension');
  }
  const shown = readDer(extension.value, (reader) => reader.content(tags.octetString));
  if (!shown.equals(digest)) {
    return incorrect('the acmeIdentifier extension is not the digest of the key authorization');
  }
  return isSelfSigned(certificate) ? undefined : incorrect('the certificate is not self-signed');
}

function isFor(name: { type: string; value: unknown }, { type, value }: Identifier): boolean {
  if (name.type !== type || typeof name.value !== 'string') return false;
  if (type === 'ip') return formatIp(parseIp(name.value)!) === value;
  return name.value.toLowerCase() === value;
}
