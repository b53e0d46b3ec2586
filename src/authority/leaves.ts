import type { Batch } from '../store/store.ts';
import { buildCertificate, type Certificate } from '../x509/certificate.ts';
import { generateKeyAsync, type PrivateKey } from '../x509/key.ts';
import { type CertificateRequest, requestIsSelfConsistent } from '../x509/request.ts';
import { findIssuer } from './holdings.ts';
import type { Issuer } from './issuer.ts';
import { leafKeySpec, leafSigner } from './leaf-keys.ts';
import type { LeafOrder } from './leaf-request.ts';
import { type LeafKey, planLeaf } from './leaf-rules.ts';
import { type Ledger, storedSerial } from './ledger.ts';
import { refused } from './refused.ts';
import { issuerToSign } from './signing-issuer.ts';
import { hasUnstored, unstoredMarks } from './unstored.ts';

export interface SignedLeaf {
  certificate: Certificate;
  issuer: Issuer;
  /** The issuer's certificate and what is above it, a known root included. */
  chain: readonly Certificate[];
  warnings: readonly string[];
  /** Whether it can be read and revoked later: the role says. */
  stored: boolean;
}

export interface IssuedLeaf extends SignedLeaf {
  privateKey: PrivateKey;
}

/** A leaf that is kept, by when it ends. */
export interface LeafEntry {
  /** Colon-parted. */
  serial: string;
  notAfter: number;
}

/** The certificates below issuers. What its calls answer is durable by then, where the role has it stored. */
export interface Leaves {
  /** Signs for the key of a request, by the rules of a role. @throws Fault `authority.*` */
  sign(order: LeafOrder, csr: CertificateRequest): Promise<SignedLeaf>;
  /** The same with the request's own subject and extensions; the role is then one of `verbatimRole`. */
  signVerbatim(order: LeafOrder, csr: CertificateRequest): Promise<SignedLeaf>;
  /** Makes the key too. */
  issue(order: LeafOrder): Promise<IssuedLeaf>;
  /** The stored certificates that an issuer signed, in the order of their ends, from those on that end at `endingFrom`. */
  signedBy(
    issuer: string,
    range: { endingFrom?: number; after?: LeafEntry; limit?: number },
  ): Promise<LeafEntry[]>;
}

export function leavesOf(ledger: Ledger): Leaves {
  return {
    sign: (order, csr) => sign(ledger, order, { csr, verbatim: false }),
    signVerbatim: (order, csr) => sign(ledger, order, { csr, verbatim: true }),
    async issue(order) {
      const { spec, warnings } = leafKeySpec(order.request.key ?? {}, order.role);
      const privateKey = await generateKeyAsync(spec, ledger.options.entropy);
      const signed = await sign(ledger, order, { publicKey: privateKey.publicKey });
      return { ...signed, privateKey, warnings: [...signed.warnings, ...warnings] };
    },
    signedBy: (issuer, range) => signedBy(ledger, issuer, range),
  };
}

async function sign(
  ledger: Ledger,
  { issuer: reference, role, request }: LeafOrder,
  key: LeafKey,
): Promise<SignedLeaf> {
  let proven = !('csr' in key);
  return ledger.decideAndCommit(async (from) => {
    const { issuer, privateKey, urls } = issuerToSign(from, reference);
    const plan = planLeaf(request, key, role, issuer, ledger.circumstances(urls));
    proven ||= 'csr' in key && requestIsSelfConsistent(key.csr);
    if (!proven) throw refused('request.signature', 'request signature invalid');
    const certificate = await buildCertificate(plan.template, leafSigner(privateKey, role));
    const chain = from.chains(issuer);
    const stored = !role.no_store;
    const result = { certificate, issuer, chain, warnings: plan.warnings, stored };
    if (!stored) return unstored(ledger, issuer, result);
    const record = ledger.record(certificate, issuer.id);
    const batch: Batch = {
      expect: [
        { key: ledger.at.issuer(issuer.id), revision: issuer.revision },
        ledger.settingsAsIn(from),
        ...record.expect,
      ],
      puts: record.puts,
    };
    return { batch, result };
  });
}

/** Nothing is written for it, but once that this issuer signs what is not in the store. */
async function unstored<T>(ledger: Ledger, issuer: Issuer, result: T): Promise<{ batch?: Batch; result: T }> {
  if (await hasUnstored(ledger, issuer.certificate)) return { result };
  const expect = [{ key: ledger.at.issuer(issuer.id), revision: issuer.revision }];
  return { batch: { expect, puts: unstoredMarks(ledger, [issuer.certificate]) }, result };
}

async function signedBy(
  ledger: Ledger,
  reference: string,
  { endingFrom = 0, after, limit }: { endingFrom?: number; after?: LeafEntry; limit?: number },
): Promise<LeafEntry[]> {
  const { at, options } = ledger;
  const { id } = findIssuer(ledger.holdings(), reference);
  const prefix = at.signed(id);
  const start = after
    ? at.signedEnding(id, after.notAfter, storedSerial(after.serial))
    : at.signedEnding(id, endingFrom, '');
  const entries = await options.store.list({ prefix, after: start, ...(limit ? { limit } : {}) });
  return entries.map(({ key }) => {
    const [end, serial] = key.slice(prefix.length).split('/') as [string, string];
    return { serial: serial.replaceAll('-', ':'), notAfter: Number(end) };
  });
}
