import type { Clock } from '../../base/clock.ts';
import { commitIfUnchanged } from '../../store/commit.ts';
import type { Account } from './accounts.ts';
import { type AcmeStore, asRead, putting, type Stored } from './acme-store.ts';
import type { Binding } from './external-account.ts';
import { accountKeyOf } from './jwk.ts';
import type { CertificateRecord, Order } from './order.ts';

export interface TidyOptions {
  /** How long an order outlives its certificate. */
  safetyBufferMs: number;
  /** How long an account without orders stays, then as long again once it is revoked. */
  accountSafetyBufferMs: number;
}

/** What was looked at and what became of it, as Vault's `tidy-status` counts it. */
export interface TidyCounts {
  accounts: number;
  accountsRevoked: number;
  accountsDeleted: number;
  ordersDeleted: number;
}

const pageSize = 100;

/** What is to become of an account; pure. `ordersEndMs`: when the last of its orders was over. */
export function decideAccount(
  account: Account,
  {
    left,
    ordersEndMs,
    bufferMs,
    nowMs,
  }: { left: number; ordersEndMs: number; bufferMs: number; nowMs: number },
): 'keep' | 'revoke' | 'delete' {
  if (left > 0 || nowMs < Math.max(account.createdMs, ordersEndMs) + bufferMs) return 'keep';
  if (account.status === 'valid') return 'revoke';
  return nowMs >= (account.endedMs ?? account.createdMs) + bufferMs ? 'delete' : 'keep';
}

/** When an order is of no more use; pure. */
export function orderEndMs({ certificate, expiresMs }: Order, safetyBufferMs: number): number {
  return certificate ? certificate.notAfterMs + safetyBufferMs : expiresMs;
}

/** Removes orders that are over, and accounts and bindings that nobody uses. */
export async function tidyAcme(store: AcmeStore, clock: Clock, options: TidyOptions): Promise<TidyCounts> {
  const counts: TidyCounts = { accounts: 0, accountsRevoked: 0, accountsDeleted: 0, ordersDeleted: 0 };
  for await (const account of pages<Account>(store, store.at.accounts())) {
    counts.accounts += 1;
    await tidyAccount(store, account, { ...options, nowMs: clock.now() }, counts);
  }
  for await (const binding of pages<Binding>(store, store.at.bindings())) {
    if (clock.now() < binding.value.createdMs + options.accountSafetyBufferMs) continue;
    await commitIfUnchanged(store, { expect: [asRead(binding)], deletes: [binding.key] });
  }
  return counts;
}

async function tidyAccount(
  store: AcmeStore,
  { key, revision, value: account }: Stored<Account>,
  { safetyBufferMs, accountSafetyBufferMs, nowMs }: TidyOptions & { nowMs: number },
  counts: TidyCounts,
): Promise<void> {
  let left = 0;
  let ordersEndMs = 0;
  for await (const order of pages<Order>(store, store.at.orders(account.id))) {
    const endMs = orderEndMs(order.value, safetyBufferMs);
    ordersEndMs = Math.max(ordersEndMs, endMs);
    if (nowMs < endMs) {
      left += 1;
      continue;
    }
    if (await removeOrder(store, order)) counts.ordersDeleted += 1;
  }
  // Orders that go now say for how long the account must stay after them.
  const seenMs = Math.max(account.lastOrderEndMs ?? 0, ordersEndMs);
  const decision = decideAccount(account, {
    left,
    ordersEndMs: seenMs,
    bufferMs: accountSafetyBufferMs,
    nowMs,
  });
  const expect = [{ key, revision }];
  if (decision === 'delete') {
    const { thumbprint } = accountKeyOf(account.jwk);
    const deletes = [key, store.at.keyHolder(thumbprint, account.directory)];
    if (await commitIfUnchanged(store, { expect, deletes })) counts.accountsDeleted += 1;
  } else if (decision === 'revoke') {
    const puts = [putting(key, { ...account, status: 'revoked', endedMs: nowMs })];
    if (await commitIfUnchanged(store, { expect, puts })) counts.accountsRevoked += 1;
  } else if (seenMs > (account.lastOrderEndMs ?? 0)) {
    await commitIfUnchanged(store, { expect, puts: [putting(key, { ...account, lastOrderEndMs: seenMs })] });
  }
}

async function removeOrder(store: AcmeStore, order: Stored<Order>): Promise<boolean> {
  const { accountId, authorizationIds, certificate } = order.value;
  const record =
    certificate && (await store.read<CertificateRecord>(store.at.certificate(certificate.serial)));
  return commitIfUnchanged(store, {
    expect: [asRead(order)],
    deletes: [
      order.key,
      ...authorizationIds.map((id) => store.at.authorization(accountId, id)),
      ...authorizationIds.map((id) => store.at.validation(id)),
      ...(record ? [record.key] : []),
    ],
  });
}

/** All below a prefix, a page at a time. */
async function* pages<T>(store: AcmeStore, prefix: string): AsyncGenerator<Stored<T>> {
  for (let after: string | undefined; ; ) {
    const page = await store.list<T>(prefix, { limit: pageSize, ...(after === undefined ? {} : { after }) });
    yield* page;
    if (page.length < pageSize) return;
    after = page.at(-1)!.key;
  }
}
