import { describeError, Fault } from '../base/fault.ts';
import type { SecretText } from '../base/secret.ts';
import { type Certificate, readCertificates } from '../x509/certificate.ts';
import { readPrivateKey, samePublicKey } from '../x509/key.ts';
import { formatName } from '../x509/name.ts';
import { type Signer, signerOf } from '../x509/signature.ts';
import { verifyChain } from '../x509/verify.ts';

/** The issuer pair as its Secret holds it. */
export interface IssuerPair {
  /** PEM, the issuer's own certificate first. */
  certificate: string;
  key: SecretText;
}

/** What signs leaves. */
export interface Issuer {
  certificate: Certificate;
  /** What leaves are sent with: the issuer itself, then whatever else its file held, in that order. */
  chain: readonly Certificate[];
  signer: Signer;
  /** When the first of the chain ends, epoch ms: no leaf may outlive it. */
  firstExpiryMs: number;
}

const longestChain = 10;

/**
 * @throws Fault `identity.issuer.unreadable` (no certificate, no key, or not PEM), `identity.issuer.mismatch` (the
 *   key is another's), `identity.issuer.unsupported` (Linkerd's proxies would refuse what it signs)
 */
export function readIssuer({ certificate: pem, key: keyPem }: IssuerPair): Issuer {
  const chain = unreadableIfThrown('certificate', () => readCertificates(pem));
  const certificate = chain[0];
  if (!certificate) throw unreadable('it holds no certificate');
  if (chain.length > longestChain) throw unreadable(`its chain has ${chain.length} certificates`);
  const key = unreadableIfThrown('private key', () => readPrivateKey(keyPem.reveal()));
  if (!samePublicKey(key.publicKey, certificate.publicKey)) {
    throw new Fault(`the private key is not that of the certificate ${formatName(certificate.subject)}`, {
      code: 'identity.issuer.mismatch',
      blame: 'operator',
      fix: 'store the certificate and the key of one issuance together',
    });
  }
  const { spec } = certificate.publicKey;
  if (spec.type !== 'ec' || spec.curve !== 'P-256') {
    const used = spec.type === 'ec' ? spec.curve : spec.type.toUpperCase();
    throw new Fault(`the issuer must have a P-256 public key, not ${used}`, {
      code: 'identity.issuer.unsupported',
      blame: 'operator',
      fix: 'set privateKey.algorithm: ECDSA (size 256) on its Certificate',
    });
  }
  return {
    certificate,
    chain,
    signer: signerOf(key),
    firstExpiryMs: Math.min(...chain.map(({ notAfter }) => notAfter)),
  };
}

function unreadableIfThrown<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw unreadable(`its ${what} cannot be read: ${describeError(error)}`, error);
  }
}

function unreadable(why: string, cause?: unknown): Fault {
  return new Fault(`failed to read CA: ${why}`, {
    code: 'identity.issuer.unreadable',
    blame: 'operator',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Why `issuer` may not sign for a mesh that trusts `roots`, at that time; undefined where it may. */
export function judgeIssuer(
  issuer: Issuer,
  roots: readonly Certificate[],
  name: string,
  at: number,
): string | undefined {
  const problem = verifyIssuer(issuer, roots, at).problem;
  if (problem !== undefined) {
    return `failed to verify issuer credentials for '${name}' with trust anchors: ${problem}`;
  }
  if (!issuer.certificate.isCa) {
    return 'failed to verify issuer certificate: it must be an intermediate-CA, but it is not';
  }
  return undefined;
}

interface IssuerVerdict {
  problem: string | undefined;
  /** The verdict stands from here to there without looking again, epoch ms. */
  fromMs: number;
  untilMs: number;
}

function verifyIssuer(issuer: Issuer, roots: readonly Certificate[], at: number): IssuerVerdict {
  // As Go verifies by default: an issuer limited to other uses than server authentication could not sign leaves
  // for servers.
  const verdict = verifyChain(issuer.certificate, {
    roots,
    intermediates: issuer.chain.slice(1),
    at,
    usage: 'server auth',
  });
  if (!verdict.valid) return { problem: verdict.reason, fromMs: at, untilMs: at };
  return {
    problem: undefined,
    fromMs: Math.max(...verdict.chain.map(({ notBefore }) => notBefore)),
    untilMs: Math.min(...verdict.chain.map(({ notAfter }) => notAfter)),
  };
}

/**
 * Tells, for every request anew, why `issuer` no longer verifies against `roots`, if so. Signatures are verified
 * once: as long as every certificate of the chain found is within its dates the answer cannot change.
 */
export function issuerValidity(
  issuer: Issuer,
  roots: readonly Certificate[],
): (at: number) => string | undefined {
  let last: IssuerVerdict | undefined;
  return (at) => {
    if (!last || last.problem !== undefined || at < last.fromMs || at > last.untilMs) {
      last = verifyIssuer(issuer, roots, at);
    }
    return last.problem;
  };
}
