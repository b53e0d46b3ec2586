import type { Entry } from '../store/store.ts';
import { type Certificate, readCertificate, serialText } from '../x509/certificate.ts';
import { findIssuer, type Holdings } from './holdings.ts';
import { type Ledger, storedSerial } from './ledger.ts';
import { refused } from './refused.ts';
import { revocationKeysBelow } from './revocation-keys.ts';

/** A point in time: epoch milliseconds, or milliseconds from now, which may be negative. */
export type Moment = { atMs: number } | { fromNowMs: number };

/** What certificates have to be like; what is absent does not matter. */
export interface CertificateFilter {
  /** A reference to who signed them. */
  issuer?: string;
  endsBefore?: Moment;
  endsAfter?: Moment;
  revoked?: boolean;
}

export interface CertificatePage {
  certificates: Certificate[];
  /** The serial, colon-parted, to go on after; undefined where all have been looked at. */
  next?: string;
}

export interface CertificateSearch {
  /**
   * Issued certificates, those of one issuer in the order of their ends, others in that of their serials. However few
   * there are to be found, one page looks at a bounded number of them, and may then hold none although more follow.
   *
   * @throws Fault `authority.issuer.absent`, `authority.certificate.absent` where those of an issuer are to go on
   *   after one that is not there (any more)
   */
  search(filter: CertificateFilter, range: { after?: string; limit?: number }): Promise<CertificatePage>;
}

/** As many are looked at for one page, and so may stand on it. */
export const lookedAt = 1_000;
/** As many are read at once at most. */
const readAtOnce = 250;

/** Where to look: keys whose last part is a serial, as the store writes it. */
interface Index {
  prefix: string;
  after: string | undefined;
  /** Keys from here on are of no interest. */
  end: string | undefined;
  /** The values are certificates. */
  whole: boolean;
}

export function certificateSearch(ledger: Ledger): CertificateSearch {
  return {
    async search(filter, { after, limit = lookedAt }) {
      const { store, clock } = ledger.options;
      const span = spanOf(filter, clock.now());
      const index = await indexFor(ledger, filter, span, after);
      const wanted = Math.min(limit, lookedAt);
      const certificates: Certificate[] = [];
      let position = index.after;
      let left = lookedAt;
      for (
        let count = Math.min(wanted, readAtOnce);
        left > 0;
        count = Math.min(2 * count, readAtOnce, left)
      ) {
        const entries = await store.list({
          prefix: index.prefix,
          ...(position === undefined ? {} : { after: position }),
          limit: count,
          ...(index.whole ? {} : { keysOnly: true }),
        });
        const { end } = index;
        const inside = end === undefined ? entries : entries.filter(({ key }) => key < end);
        const judged = await Promise.all(inside.map((entry) => judge(ledger, filter, span, index, entry)));
        for (const [at, certificate] of judged.entries()) {
          if (certificate) certificates.push(certificate);
          if (certificates.length === wanted) return { certificates, next: told(inside[at]!) };
        }
        const last = inside.at(-1);
        if (inside.length < count || !last) return { certificates };
        position = last.key;
        left -= count;
        if (left === 0) return { certificates, next: told(last) };
      }
      return { certificates };
    },
  };
}

interface Span {
  /** Epoch milliseconds, neither of them inside. */
  after: number;
  before: number;
}

function spanOf({ endsAfter, endsBefore }: CertificateFilter, nowMs: number): Span {
  const instant = (moment: Moment) => ('atMs' in moment ? moment.atMs : nowMs + moment.fromNowMs);
  return {
    after: endsAfter ? instant(endsAfter) : -Infinity,
    before: endsBefore ? instant(endsBefore) : Infinity,
  };
}

async function indexFor(
  ledger: Ledger,
  { issuer, revoked }: CertificateFilter,
  span: Span,
  after: string | undefined,
): Promise<Index> {
  const { at, options } = ledger;
  if (issuer !== undefined) return signedIndex(ledger, ledger.holdings(), issuer, span, after);
  const where = revocationKeysBelow(options.prefix);
  const serial = after === undefined ? undefined : storedSerial(after);
  return revoked
    ? {
        prefix: where.revocations,
        after: serial === undefined ? undefined : where.revoked(serial),
        end: undefined,
        whole: false,
      }
    : {
        prefix: at.certificates,
        after: serial === undefined ? undefined : at.certificate(serial),
        end: undefined,
        whole: true,
      };
}

/** The issuer's order of ends, from where the span begins, or behind `after`, to where it ends. */
async function signedIndex(
  { at, options }: Ledger,
  holdings: Holdings,
  reference: string,
  span: Span,
  after: string | undefined,
): Promise<Index> {
  const { id } = findIssuer(holdings, reference);
  const ending = (ms: number) => at.signedEnding(id, Math.max(0, ms), '');
  // Whole milliseconds: what ends with the span's first one is not after it.
  const first = span.after === -Infinity ? undefined : ending(Math.floor(span.after) + 1);
  let behind: string | undefined;
  if (after !== undefined) {
    const serial = storedSerial(after);
    const entry = await options.store.get(at.certificate(serial));
    if (!entry) {
      throw refused('certificate.absent', `there is no certificate with serial ${after} to go on after`);
    }
    behind = at.signedEnding(id, readCertificate(entry.value).notAfter, serial);
  }
  return {
    prefix: at.signed(id),
    after: [first, behind].reduce((one, other) => ((one ?? '') > (other ?? '') ? one : other)),
    end: span.before === Infinity ? undefined : ending(Math.ceil(span.before)),
    whole: false,
  };
}

async function judge(
  { at, options }: Ledger,
  { revoked }: CertificateFilter,
  { after, before }: Span,
  { whole }: Index,
  entry: Entry,
): Promise<Certificate | undefined> {
  const serial = storedOf(entry);
  const der = whole ? entry.value : (await options.store.get(at.certificate(serial)))?.value;
  if (!der) return undefined;
  const certificate = readCertificate(der);
  if (certificate.notAfter <= after || certificate.notAfter >= before) return undefined;
  if (revoked === undefined) return certificate;
  const { revoked: key } = revocationKeysBelow(options.prefix);
  const isRevoked = (await options.store.get(key(serial))) !== undefined;
  return isRevoked === revoked ? certificate : undefined;
}

function storedOf({ key }: Entry): string {
  return key.slice(key.lastIndexOf('/') + 1);
}

function told(entry: Entry): string {
  return serialText(Buffer.from(storedOf(entry).replaceAll('-', ''), 'hex'));
}
