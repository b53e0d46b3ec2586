import { dayMs, minuteMs } from '../base/duration.ts';
import type { Batch } from '../store/store.ts';
import type { Certificate } from '../x509/certificate.ts';
import type { Issuer } from './issuer.ts';
import type { Ledger } from './ledger.ts';
import { unstoredMarks } from './unstored.ts';

/**
 * Until when certificates of each issuer may be good that nobody can look up, since their role does not store them.
 * Written before the first of them is answered, and rounded up, so that it is rarely written: by an eighth of what a
 * certificate has left, within these bounds.
 */
const leastStepMs = minuteMs;
const mostStepMs = dayMs;

export interface UnstoredUntil {
  /** Epoch milliseconds; undefined where the issuer never signed such a certificate. */
  get(issuerId: string): Promise<number | undefined>;
  /** What must be written before this certificate is answered; undefined where nothing need be. */
  batchFor(certificate: Pick<Certificate, 'notAfter'>, issuer: Issuer): Promise<Batch | undefined>;
}

export function unstoredUntil(ledger: Ledger): UnstoredUntil {
  const { at, options } = ledger;
  const { store, clock } = options;
  /** As last read: it only ever grows. */
  const known = new Map<string, number>();

  async function read(issuerId: string) {
    const entry = await store.get(at.unstoredUntil(issuerId));
    const until = entry && Number(entry.value.toString());
    if (until !== undefined) known.set(issuerId, until);
    return { until, revision: entry?.revision ?? 0 };
  }

  return {
    get: async (issuerId) => (await read(issuerId)).until,
    async batchFor({ notAfter }, issuer) {
      if (notAfter <= (known.get(issuer.id) ?? 0)) return undefined;
      const { until = 0, revision } = await read(issuer.id);
      if (notAfter <= until) return undefined;
      const key = at.unstoredUntil(issuer.id);
      return {
        expect: [
          { key: at.issuer(issuer.id), revision: issuer.revision },
          { key, revision },
        ],
        puts: [
          ...unstoredMarks(ledger, [issuer.certificate]),
          { key, value: Buffer.from(String(roundedUp(notAfter, clock.now()))) },
        ],
      };
    },
  };
}

function roundedUp(notAfter: number, nowMs: number): number {
  const step = Math.min(mostStepMs, Math.max(leastStepMs, Math.floor((notAfter - nowMs) / 8)));
  return Math.ceil(notAfter / step) * step;
}
