import type { Authority } from '../../authority/authority.ts';
import type { LeafEntry } from '../../authority/leaves.ts';
import { invalidRequest } from '../faults.ts';
import { defineRoute } from '../routing/define-route.ts';
import type { Answer, Route } from '../routing/route.ts';

/** Beyond Vault's own paths: what below an issuer is still good, and so until when the issuer is needed. */
export const outstandingRoutes: readonly Route<Authority>[] = [
  defineRoute('issuer/:issuer_ref/leaves', {
    fields: { after: 'text', limit: 'integer' },
    on: {
      read: (authority, { captures }) => outstanding(authority, captures.issuer_ref!),
      list: (authority, { captures, fields }) => list(authority, captures.issuer_ref!, fields),
    },
  }),
];

async function outstanding(authority: Authority, reference: string): Promise<Answer> {
  const { count, latestNotAfter, unstoredUntil } = await authority.leaves.outstanding(reference);
  return {
    data: {
      count,
      latest_not_after: seconds(latestNotAfter),
      unstored_until: seconds(unstoredUntil),
    },
  };
}

/** 0 for none. */
function seconds(ms = 0): number {
  return ms / 1_000;
}

async function list(
  authority: Authority,
  reference: string,
  { after = '', limit = 0 }: { after?: string; limit?: number },
): Promise<Answer> {
  const entries = await authority.leaves.signedBy(reference, {
    ...(after === '' ? {} : { after: await entryOf(authority, after) }),
    ...(limit > 0 ? { limit } : {}),
  });
  const info = entries.map(({ serial, notAfter }) => [serial, { expiration: seconds(notAfter) }]);
  return { data: { keys: entries.map(({ serial }) => serial), key_info: Object.fromEntries(info) } };
}

async function entryOf(authority: Authority, serial: string): Promise<LeafEntry> {
  const certificate = await authority.certificate(serial);
  if (!certificate) throw invalidRequest(`there is no certificate with serial ${serial} to go on after`);
  return { serial, notAfter: certificate.notAfter };
}
