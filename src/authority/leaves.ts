import { Fault } from '../base/fault.ts';
import { step } from '../base/side-by-side.ts';
import type { Batch } from '../store/store.ts';
import { buildCertificate, type Certificate, serialText } from '../x509/certificate.ts';
import { generateKeyAsync, type PrivateKey } from '../x509/key.ts';
import { type CertificateRequest, requestIsSelfConsistent } from '../x509/request.ts';
import { findIssuer } from './holdings.ts';
import type { Issuer } from './issuer.ts';
import { leafKeySpec, leafSigner } from './leaf-keys.ts';
import type { LeafOrder } from './leaf-request.ts';
import { type LeafKey, planLeaf } from './leaf-rules.ts';
import { type Ledger, storedSerial, toldSerial } from './ledger.ts';
import { checkPermitted } from './permitted-names.ts';
import { refused } from './refused.ts';
import { issuerToSign } from './signing-issuer.ts';
import { type UnstoredUntil, unstoredUntil } from './unstored-until.ts';

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

/** What of an issuer's certificates, its own aside, has not ended yet. */
export interface Outstanding {
  /** Those that are stored; revoked ones, too. */
  count: number;
  /** When the last of them ends, epoch milliseconds; undefined where there is none. */
  latestNotAfter: number | undefined;
  /** When the last of those ends at the latest that are not stored; undefined where there is none. */
  unstoredUntil: number | undefined;
}

/** The certificates below issuers. What its calls answer is durable by then, where the role has it stored. */
export interface Leaves {
  /** Signs for the key of a request, by the rules of a role. @throws Fault `authority.*` */
  sign(order: LeafOrder, csr: CertificateRequest): Promise<SignedLeaf>;
  /** The same with the request's own subject and extensions; the role is then one of `verbatimRole`. */
  signVerbatim(order: LeafOrder, csr: CertificateRequest): Promise<SignedLeaf>;
  /** Makes the key too. */
  issue(order: LeafOrder): Promise<IssuedLeaf>;
  /**
   * The stored certificates of an issuer that have not ended yet, in the order of their ends, its own left out.
   *
   * @throws Fault `authority.issuer.absent`
   */
  signedBy(issuer: string, range: { after?: LeafEntry; limit?: number }): Promise<LeafEntry[]>;
  /** What must have ended before an issuer is of no more use. @throws Fault `authority.issuer.absent` */
  outstanding(issuer: string): Promise<Outstanding>;
}

export function leavesOf(ledger: Ledger): Leaves {
  const unstored = unstoredUntil(ledger);
  const sign = (order: LeafOrder, key: LeafKey) => signLeaf(ledger, unstored, order, key);
  return {
    sign: (order, csr) => sign(order, { csr, verbatim: false }),
    signVerbatim: (order, csr) => sign(order, { csr, verbatim: true }),
    async issue(order) {
      const { spec, warnings } = leafKeySpec(order.request.key ?? {}, order.role);
      const privateKey = await generateKeyAsync(spec, ledger.options.entropy);
      const signed = await sign(order, { publicKey: privateKey.publicKey });
      return { ...signed, privateKey, warnings: [...signed.warnings, ...warnings] };
    },
    signedBy: (reference, range) => signedBy(ledger, findIssuer(ledger.holdings(), reference), range),
    async outstanding(reference) {
      const issuer = findIssuer(ledger.holdings(), reference);
      const until = (await unstored.get(issuer.id)) ?? 0;
      return {
        ...(await countOutstanding(ledger, issuer)),
        unstoredUntil: until > ledger.options.clock.now() ? until : undefined,
      };
    },
  };
}

async function signLeaf(
  ledger: Ledger,
  unstored: UnstoredUntil,
  { issuer: reference, role, request }: LeafOrder,
  key: LeafKey,
): Promise<SignedLeaf> {
  let proven = !('csr' in key);
  return ledger.decideAndCommit(async (from) => {
    const { issuer, privateKey, urls } = issuerToSign(from, reference);
    const plan = planLeaf(request, key, role, issuer, ledger.circumstances(urls));
    if ('csr' in key && !proven) {
      await step;
      importKey(key.csr);
      await step;
      proven = requestIsSelfConsistent(key.csr);
      await step;
    }
    if (!proven) throw refused('request.signature', 'request signature invalid');
    const certificate = await buildCertificate(plan.template, leafSigner(privateKey, role));
    const chain = from.chains(issuer);
    checkPermitted(certificate, issuer.certificate, chain);
    const result = { certificate, issuer, chain, warnings: plan.warnings, stored: !role.no_store };
    if (role.no_store) {
      const batch = await unstored.batchFor(certificate, issuer);
      return { result, ...(batch ? { batch } : {}) };
    }
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

/** Ahead of its use. */
function importKey({ publicKey }: CertificateRequest): void {
  try {
    void publicKey.key;
  } catch (error) {
    // A key that is none has signed nothing, which is found in its turn.
    if (!(error instanceof Fault)) throw error;
  }
}

async function signedBy(
  { at, options }: Ledger,
  { id, certificate }: Issuer,
  { after, limit }: { after?: LeafEntry; limit?: number },
): Promise<LeafEntry[]> {
  const prefix = at.signed(id);
  const start = after
    ? at.signedEnding(id, after.notAfter, storedSerial(after.serial))
    : at.signedEnding(id, options.clock.now(), '');
  // One more, since the issuer itself may be among them.
  const entries = await options.store.list({ prefix, after: start, ...(limit ? { limit: limit + 1 } : {}) });
  const own = serialText(certificate.serial);
  return entries
    .map(({ key }) => {
      const [end, serial] = key.slice(prefix.length).split('/') as [string, string];
      return { serial: toldSerial(serial), notAfter: Number(end) };
    })
    .filter(({ serial }) => serial !== own)
    .slice(0, limit);
}

/** Certificates that are counted at once; in between others have their turn. */
const countedAtOnce = 1_000;

async function countOutstanding(ledger: Ledger, issuer: Issuer) {
  let count = 0;
  let last: LeafEntry | undefined;
  for (;;) {
    const page = await signedBy(ledger, issuer, { limit: countedAtOnce, ...(last ? { after: last } : {}) });
    count += page.length;
    last = page.at(-1) ?? last;
    if (page.length < countedAtOnce) return { count, latestNotAfter: last?.notAfter };
    await new Promise(setImmediate);
  }
}
