import type { Clock } from '../../base/clock.ts';
import { describeError } from '../../base/fault.ts';
import type { Log } from '../../base/log.ts';
import { failed, invalidRequest } from '../faults.ts';
import { leaseLimits } from '../mount/mount.ts';
import type { Mounts } from '../mount/mounts.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { FieldTable } from '../routing/fields.ts';
import type { Answer, GrantedLease, Route } from '../routing/route.ts';
import { describeLease, type Lease } from './lease.ts';
import type { Leases } from './leases.ts';

/** What the paths below `sys/leases` work on. */
export interface LeaseContext {
  leases: Leases;
  clock: Clock;
  log: Log;
  mounts: () => Mounts;
}

const idField = { lease_id: 'text' } as const satisfies FieldTable;
const renewFields = {
  lease_id: 'text',
  url_lease_id: 'text',
  increment: 'duration',
} as const satisfies FieldTable;
const revokeFields = {
  lease_id: 'text',
  url_lease_id: 'text',
  sync: 'boolean',
} as const satisfies FieldTable;
const kindFields = {
  type: 'text',
  include_child_namespaces: 'boolean',
  limit: 'text',
} as const satisfies FieldTable;
/** What Vault lists where it is not told how many. */
const listedByDefault = 10_000;

/** The paths below `sys/`; those without `leases/` are what they were called before 0.8. */
export const leaseRoutes: readonly Route<LeaseContext>[] = [
  defineRoute('leases/lookup', { fields: idField, on: { update: lookup } }),
  defineRoute('leases/lookup', { fields: noFields, sudo: true, on: { list: listLeases } }),
  defineRoute('leases/lookup/*prefix', { fields: noFields, sudo: true, on: { list: listLeases } }),
  ...['leases/renew', 'renew'].flatMap((path) => [
    defineRoute(path, { fields: renewFields, on: { update: renew } }),
    defineRoute(`${path}/*url_lease_id`, { fields: renewFields, on: { update: renew } }),
  ]),
  ...['leases/revoke', 'revoke'].flatMap((path) => [
    defineRoute(path, { fields: revokeFields, on: { update: revoke } }),
    defineRoute(`${path}/*url_lease_id`, { fields: revokeFields, on: { update: revoke } }),
  ]),
  ...['leases/revoke-prefix', 'revoke-prefix'].map((path) =>
    defineRoute(`${path}/*prefix`, {
      fields: { sync: 'boolean' },
      sudo: true,
      on: {
        update: (context: LeaseContext, { captures, fields }) =>
          revokeBelow(context, captures.prefix!, { force: false, later: fields.sync === false }),
      },
    }),
  ),
  ...['leases/revoke-force', 'revoke-force'].map((path) =>
    defineRoute(`${path}/*prefix`, {
      fields: noFields,
      sudo: true,
      on: {
        update: (context: LeaseContext, { captures }) =>
          revokeBelow(context, captures.prefix!, { force: true, later: false }),
      },
    }),
  ),
  defineRoute('leases/tidy', { fields: noFields, on: { update: tidy } }),
  defineRoute('leases/count', { fields: kindFields, on: { read: countIrrevocable } }),
  defineRoute('leases', { fields: kindFields, sudo: true, on: { read: listIrrevocable } }),
];

async function lookup(
  { leases, clock }: LeaseContext,
  { fields: { lease_id: id } }: { fields: { lease_id?: string } },
): Promise<Answer> {
  if (!id) throw invalidRequest('lease_id must be specified');
  const lease = await leases.lookup(id);
  if (!lease) throw invalidRequest('invalid lease');
  return { data: describeLease(lease, clock.now()) };
}

async function listLeases(
  { leases }: LeaseContext,
  { captures: { prefix = '' } }: { captures: Readonly<Record<string, string>> },
): Promise<Answer> {
  return { data: { keys: await leases.list(prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`) } };
}

interface IdGiven {
  captures: Readonly<Record<string, string>>;
  fields: { lease_id?: string; url_lease_id?: string };
}

function idOf({ captures, fields }: IdGiven): string {
  const id = fields.lease_id || captures.url_lease_id || fields.url_lease_id;
  if (!id) throw invalidRequest('lease_id must be specified');
  return id;
}

async function renew(
  { leases, mounts }: LeaseContext,
  given: IdGiven & { fields: { increment?: number } },
): Promise<Answer> {
  const increment = given.fields.increment ?? 0;
  const { lease, warnings } = await leases.renew(idOf(given), increment, ({ path }) => {
    const mount = mounts().match(path)?.mounted.mount;
    if (!mount) throw invalidRequest('unable to retrieve system view from router');
    return leaseLimits(mount);
  });
  return { granted: grantedLease(lease), warnings };
}

/** What the envelope tells of a lease. */
export function grantedLease({ id, renewable, ttlMs }: Lease): GrantedLease {
  return { lease_id: id, renewable, lease_duration: Math.floor(ttlMs / 1_000) };
}

const accepted: Answer = {
  raw: { status: 202, contentType: 'application/json', body: Buffer.alloc(0) },
};

async function revoke(
  { leases }: LeaseContext,
  given: IdGiven & { fields: { sync?: boolean } },
): Promise<Answer | undefined> {
  const later = given.fields.sync === false;
  await leases.revoke(idOf(given), { later });
  return later ? accepted : undefined;
}

/** One lease, where the path is the id of one, and all below it. */
async function revokeBelow(
  { leases }: LeaseContext,
  path: string,
  how: { force: boolean; later: boolean },
): Promise<Answer | undefined> {
  if (!path.endsWith('/')) await leases.revoke(path, how);
  await leases.revokeBelow(path.endsWith('/') ? path : `${path}/`, how);
  return how.later ? accepted : undefined;
}

async function tidy({ leases, log }: LeaseContext): Promise<Answer> {
  leases.tidy().then(
    (ended) => log.info('leases are tidied', { ended }),
    (error: unknown) => log.error('leases could not be tidied', { error: describeError(error) }),
  );
  return {
    status: 202,
    warnings: [
      "Tidy operation successfully started. Any information from the operation will be printed to Vault's server logs.",
    ],
  };
}

/** Leases are counted and listed by this path only where they could not be revoked. */
async function countIrrevocable(
  { leases, mounts }: LeaseContext,
  { fields: { type } }: { fields: { type?: string } },
): Promise<Answer | undefined> {
  if (type?.toLowerCase() !== 'irrevocable') return undefined;
  const counts: Record<string, number> = {};
  const found = await leases.irrevocable();
  for (const { path } of found) {
    const mount = accessorAt(mounts(), path);
    counts[mount] = (counts[mount] ?? 0) + 1;
  }
  return { data: { counts, lease_count: found.length } };
}

function accessorAt(mounts: Mounts, path: string): string {
  return mounts.match(path)?.mounted.mount.accessor ?? 'mount-accessor-not-found';
}

async function listIrrevocable(
  { leases, mounts }: LeaseContext,
  { fields: { type, limit } }: { fields: { type?: string; limit?: string } },
): Promise<Answer | undefined> {
  if (type?.toLowerCase() !== 'irrevocable') return undefined;
  const found = await leases.irrevocable();
  const most = limit === 'none' ? found.length : Number(limit || listedByDefault);
  if (!Number.isSafeInteger(most) || most <= 0) throw failed("limit must be 'none' or a positive integer");
  return {
    data: {
      lease_count: found.length,
      leases: found.slice(0, most).map(({ id, path, failure = '' }) => ({
        error: failure,
        lease_id: id,
        mount_id: accessorAt(mounts(), path),
      })),
    },
  };
}
