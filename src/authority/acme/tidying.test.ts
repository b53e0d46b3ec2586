import { expect, test } from 'vitest';
import { dayMs } from '../../base/duration.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { memoryStore } from '../../store/memory.ts';
import type { Account } from './accounts.ts';
import { AcmeStore, putting } from './acme-store.ts';
import { readJwk } from './jwk.ts';
import type { Order } from './order.ts';
import { tidyAcme } from './tidying.ts';

const jwk = {
  crv: 'P-256',
  kty: 'EC',
  x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4',
  y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM',
};

async function world() {
  const clock = new ManualClock();
  const inner = memoryStore();
  const store = new AcmeStore({
    store: inner,
    prefix: 'acme/',
    guard: () => ({ key: 'mount', revision: 0 }),
  });
  const account: Account = {
    id: 'one',
    directory: 'acme',
    status: 'valid',
    contact: [],
    termsAgreed: false,
    jwk,
    createdMs: clock.now(),
  };
  const order = (id: string, more: Partial<Order>): Order => ({
    id,
    accountId: 'one',
    identifiers: [],
    authorizationIds: [`${id}-authorization`],
    createdMs: clock.now(),
    expiresMs: clock.now() + dayMs,
    ...more,
  });
  const certificate = { serial: '01', issuerId: 'x', notAfterMs: clock.now() + 90 * dayMs };
  await store.commit({
    puts: [
      putting(store.at.account('one'), account),
      putting(store.at.keyHolder(readJwk(jwk).thumbprint, 'acme'), 'one'),
      putting(store.at.order('one', 'given-up'), order('given-up', {})),
      putting(store.at.authorization('one', 'given-up-authorization'), {}),
      putting(store.at.order('one', 'issued'), order('issued', { certificate })),
      putting(store.at.authorization('one', 'issued-authorization'), {}),
      putting(store.at.certificate('01'), {}),
      putting(store.at.binding('unused'), { id: 'unused', createdMs: clock.now() }),
    ],
  });
  const keys = async () => (await inner.list({ prefix: '' })).map(({ key }) => key.replace('acme/', ''));
  const tidy = () => tidyAcme(store, clock, { safetyBufferMs: 3 * dayMs, accountSafetyBufferMs: 30 * dayMs });
  return { clock, store, keys, tidy };
}

test('orders go with their certificates, accounts with their orders, each after its time', async () => {
  const { clock, store, keys, tidy } = await world();
  const before = await keys();
  expect(await tidy()).toEqual({ accounts: 1, accountsRevoked: 0, accountsDeleted: 0, ordersDeleted: 0 });
  expect(await keys()).toEqual(before);

  await clock.advance(2 * dayMs);
  expect(await tidy()).toMatchObject({ ordersDeleted: 1 });
  const left = before.filter((key) => !key.includes('given-up'));
  expect(await keys()).toEqual(left);

  await clock.advance(90 * dayMs);
  expect(await tidy()).toMatchObject({ ordersDeleted: 0 });
  expect(await keys()).toEqual(left.filter((key) => !key.startsWith('eab/')));

  await clock.advance(dayMs);
  expect(await tidy()).toMatchObject({ ordersDeleted: 1, accountsRevoked: 0 });
  // Its last order was of use until today.
  await clock.advance(29 * dayMs);
  expect(await tidy()).toMatchObject({ accountsRevoked: 0 });
  await clock.advance(dayMs);
  expect(await tidy()).toMatchObject({ accountsRevoked: 1, accountsDeleted: 0 });
  expect((await store.read<Account>(store.at.account('one')))?.value.status).toBe('revoked');
  await clock.advance(30 * dayMs);
  expect(await tidy()).toMatchObject({ accounts: 1, accountsDeleted: 1 });
  expect(await keys()).toEqual([]);
});
