import { buildCertificate, type Certificate } from '../x509/certificate.ts';
import { generateKeyAsync, type KeySpec } from '../x509/key.ts';
import { type CertificateRequest, requestIsSelfConsistent } from '../x509/request.ts';
import { type RemoteKey, type Signer, type SigningKey, signerOf } from '../x509/signature.ts';
import { type AiaUrls, type CaRequest, noUrls } from './ca-request.ts';
import { Draft } from './draft.ts';
import { findKey, type Holdings } from './holdings.ts';
import type { CaKey, Issuer } from './issuer.ts';
import { type IntermediateRequest, planIntermediate, planRoot } from './issuing-rules.ts';
import { checkKeySpec, checkName, checkRequestKey } from './key-rules.ts';
import type { Ledger } from './ledger.ts';
import { checkPermitted } from './permitted-names.ts';
import { refused } from './refused.ts';
import { rootsOwnAlgorithm } from './revocation-algorithm.ts';
import { filledIn, issuerToSign, told } from './signing-issuer.ts';

export type SignatureHash = 'SHA-256' | 'SHA-384' | 'SHA-512';

/** A new key of this kind, one that is there, by its reference, or one that lives elsewhere and is to be known here. */
export type WantedKey = { generate: KeySpec } | { existing: string } | { remote: RemoteKey };

/** How something is to be signed. */
export interface SignatureWish {
  /** Undefined for the hash that goes with the key. */
  hash: SignatureHash | undefined;
  /** RSA's newer padding, which other keys have no use for. */
  pss?: boolean;
}

/** A signer that does as is wished, as far as `key` lets it. */
export function caSigner(key: SigningKey, { hash, pss }: SignatureWish): Signer {
  return key.spec.type === 'rsa' && pss ? signerOf(key, hash, 'PSS') : signerOf(key, hash);
}

export interface RootRequest extends CaRequest, SignatureWish {
  key: WantedKey;
  issuerName: string;
  keyName: string;
}

export interface GeneratedRoot {
  issuer: Issuer;
  key: CaKey;
  warnings: readonly string[];
}

export interface SignedIntermediate {
  certificate: Certificate;
  /** The issuer's certificate and what is above it, a known root included. */
  chain: readonly Certificate[];
  warnings: readonly string[];
}

/** What is signed for CAs: roots, and certificates below an issuer. */
export interface CaIssuing {
  /** @throws Fault `authority.*` for what the rules refuse */
  generateRoot(request: RootRequest): Promise<GeneratedRoot>;
  /** `issuer`: `default`, an id or a name. */
  signIntermediate(
    issuer: string,
    request: IntermediateRequest & SignatureWish,
    csr: CertificateRequest,
  ): Promise<SignedIntermediate>;
}

export function caIssuing(ledger: Ledger): CaIssuing {
  return {
    generateRoot: (request) => generateRoot(ledger, request),
    signIntermediate: (issuer, request, csr) => signIntermediate(ledger, issuer, request, csr),
  };
}

async function generateRoot(ledger: Ledger, request: RootRequest): Promise<GeneratedRoot> {
  const made = await madeKey(ledger, request.key);
  const result = await ledger.decideAndCommit(async (from) => {
    checkName('issuer', request.issuerName, from.issuers);
    if (made) checkName('key', request.keyName, from.keys);
    const draft = new Draft(ledger, from);
    const { key } = made
      ? draft.addKey(made, request.keyName)
      : { key: findKey(from, (request.key as { existing: string }).existing) };
    const { urls, warnings } = rootUrls(from);
    const at = ledger.circumstances(urls);
    const plan = planRoot(request, key.privateKey.publicKey, at);
    const signer = caSigner(key.privateKey, request);
    const certificate = await buildCertificate(plan.template, signer);
    const added = draft.addIssuer(certificate, request.issuerName).issuer;
    const issuer = draft.changeIssuer({ ...added, revocationAlgorithm: rootsOwnAlgorithm(certificate) });
    draft.followLatest(issuer.id);
    const record = ledger.record(certificate, issuer.id);
    const { expect, puts, deletes } = draft.batch();
    return {
      batch: { expect: [...expect, ...record.expect], puts: [...puts, ...record.puts], deletes },
      result: { issuer, key, warnings: [...warnings, ...plan.warnings] },
    };
  });
  await ledger.reload();
  return result;
}

/** The key that is to be added, made where it has to be: undefined where one that is there is wanted. */
export async function madeKey(ledger: Ledger, wanted: WantedKey): Promise<SigningKey | undefined> {
  if ('existing' in wanted) return undefined;
  if ('remote' in wanted) return wanted.remote;
  checkKeySpec(wanted.generate);
  return generateKeyAsync(wanted.generate, ledger.options.entropy);
}

/**
 * What a root says of itself: what the authority's URLs say, unless they are told apart by issuer, which a root has
 * no use for: they would lead back to it.
 */
function rootUrls({ settings }: Holdings): { urls: AiaUrls; warnings: string[] } {
  const { urls, cluster = {} } = settings;
  const lists: readonly (readonly string[])[] = [
    urls.issuingCertificates,
    urls.crlDistributionPoints,
    urls.deltaCrlDistributionPoints,
    urls.ocspServers,
  ];
  const byIssuer = urls.templates && lists.some((list) => list.some((url) => url.includes('{{issuer_id}}')));
  const fill = (issuerId?: string) =>
    told('unable to parse AIA URL information', () => filledIn(urls, cluster, issuerId));
  if (!byIssuer) return { urls: fill(), warnings: [] };
  fill('empty-issuer-id');
  const warning =
    'When generating root CA, found global AIA configuration with issuer_id template unsuitable for root generation. ' +
    'This AIA configuration has been ignored. To include AIA on this root CA, set the global AIA configuration to not ' +
    'include issuer_id and instead to refer to a static issuer name.';
  return { urls: noUrls, warnings: [warning] };
}

async function signIntermediate(
  ledger: Ledger,
  reference: string,
  request: IntermediateRequest & SignatureWish,
  csr: CertificateRequest,
): Promise<SignedIntermediate> {
  checkRequestKey(csr);
  if (!requestIsSelfConsistent(csr)) throw refused('request.signature', 'request signature invalid');
  return ledger.decideAndCommit(async (from) => {
    const { issuer, privateKey, urls } = issuerToSign(from, reference);
    const at = ledger.circumstances(urls);
    const plan = planIntermediate(request, csr, issuer.certificate, at);
    const certificate = await buildCertificate(plan.template, caSigner(privateKey, request));
    const chain = from.chains(issuer);
    checkPermitted(certificate, issuer.certificate, chain);
    const record = ledger.record(certificate, issuer.id);
    const expect = [
      { key: ledger.at.issuer(issuer.id), revision: issuer.revision },
      ledger.settingsAsIn(from),
      ...record.expect,
    ];
    const result = { certificate, chain, warnings: plan.warnings };
    return { batch: { expect, puts: record.puts }, result };
  });
}
