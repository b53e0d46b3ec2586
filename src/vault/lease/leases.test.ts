import { beforeEach, describe, expect, test } from 'vitest';
import { hourMs } from '../../base/duration.ts';
import { seededEntropy } from '../../base/entropy.ts';
import { silentLog } from '../../base/log.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { memoryStore } from '../../store/memory.ts';
import type { Store } from '../../store/store.ts';
import { systemLease } from '../token/lifetime.ts';
import type { NewToken, Token } from '../token/token.ts';
import { openTokens, type Tokens } from '../token/tokens.ts';
import { type Leases, LeaseTable } from './leases.ts';

let store: Store;
let clock: ManualClock;
let tokens: Tokens;
let leases: Leases;
let token: Token;
/** What was revoked, in order; a serial in `stuck` cannot be. */
let revoked: string[];
const stuck = new Set<unknown>();

async function open(): Promise<void> {
  const world = { store, clock, entropy: seededEntropy('l'), log: silentLog };
  tokens = await openTokens({ ...world, onLeasesDue: () => leases.sweepSoon() });
  leases = new LeaseTable({
    ...world,
    tokens,
    async revoke({ internal }) {
      if (stuck.has(internal.serial)) throw new Error('the engine is away');
      revoked.push(String(internal.serial));
    },
  });
  await leases.sweep();
}

const newToken = (changes: Partial<NewToken> = {}): NewToken => ({
  policies: ['a'],
  path: 'auth/token/create',
  meta: null,
  displayName: 'token',
  numUses: 0,
  createdMs: clock.now(),
  ttlMs: 9 * hourMs,
  explicitMaxTtlMs: 0,
  periodMs: 0,
  renewable: true,
  expiresMs: clock.now() + 9 * hourMs,
  ...changes,
});

beforeEach(async () => {
  store = memoryStore();
  clock = new ManualClock();
  revoked = [];
  stuck.clear();
  await open();
  ({ token } = await tokens.create(newToken()));
});

async function grant(serial: string, { ttlMs = hourMs, path = 'pki/issue/web', holder = token } = {}) {
  const request = { path, token: holder, limits: systemLease };
  return (
    await leases.grant({
      ...request,
      grant: { untilMs: clock.now() + ttlMs, renewable: true, internal: { serial } },
    })
  ).lease;
}
const keys = async () =>
  (await store.list({ prefix: '' })).map(({ key }) => key).filter((key) => /lease|holds/.test(key));

test('a lease is shown, ends by the clock, and leaves nothing', async () => {
  const before = await keys();
  const lease = await grant('1');
  expect(lease.id).toMatch(/^pki\/issue\/web\/[0-9A-Za-z]{24}$/);
  expect(await leases.lookup(lease.id)).toMatchObject({ expiresMs: clock.now() + hourMs, renewable: true });
  await clock.advance(hourMs - 1);
  expect(revoked).toEqual([]);
  await clock.advance(1);
  expect(await leases.lookup(lease.id)).toBeUndefined();
  await clock.advance(1_000);
  expect(revoked).toEqual(['1']);
  expect(await keys()).toEqual(before);
});

test('what ended while the server was down is ended when it starts', async () => {
  await grant('1');
  tokens.close();
  leases.close();
  await clock.advance(2 * hourMs);
  expect(revoked).toEqual([]);
  await open();
  expect(revoked).toEqual(['1']);
});

test('a lease ends with its token, and with the one above it', async () => {
  const child = await tokens.create(newToken({ parent: token.name }));
  await grant('1', { holder: child.token });
  await grant('2');
  await tokens.revoke(token.name);
  await clock.advance(1);
  expect(revoked.toSorted((a, b) => a.localeCompare(b))).toEqual(['1', '2']);
  expect(await keys()).toEqual([]);
  await expect(grant('3')).rejects.toThrow('permission denied');
  expect(revoked).toContain('3');
});

test('a token that loses its leases in a crash loses them at the next start', async () => {
  await grant('1');
  const commit = store.commit.bind(store);
  let commits = 0;
  store.commit = async (batch) => {
    if (++commits > 1) throw new Error('killed');
    return commit(batch);
  };
  await expect(tokens.revoke(token.name)).rejects.toThrow('killed');
  store.commit = commit;
  tokens.close();
  leases.close();
  await open();
  expect(revoked).toEqual(['1']);
  expect(await keys()).toEqual([]);
});

test('a renewal moves the end, up to the maximum from the beginning', async () => {
  const { id } = await grant('1');
  await clock.advance(hourMs / 2);
  const limits = { defaultTtlMs: hourMs, maxTtlMs: 2 * hourMs };
  const { lease, warnings } = await leases.renew(id, 5 * hourMs, () => limits);
  expect(lease.expiresMs).toBe(clock.now() + 1.5 * hourMs);
  expect(warnings).toHaveLength(1);
  await clock.advance(hourMs);
  expect(revoked).toEqual([]);
  await clock.advance(hourMs);
  expect(revoked).toEqual(['1']);
  await expect(leases.renew(id, 0, () => limits)).rejects.toThrow('lease not found');
});

test('a batch token’s lease ends with it, and no renewal goes beyond', async () => {
  const { token: batch } = await tokens.create(newToken({ type: 'batch', parent: token.name }));
  const lease = await grant('1', { holder: batch, ttlMs: 20 * hourMs });
  expect(lease.expiresMs).toBe(batch.expiresMs);
  await clock.advance(hourMs);
  const renewed = await leases.renew(lease.id, 20 * hourMs, () => systemLease);
  expect(renewed.lease.expiresMs).toBe(batch.expiresMs);
  await tokens.revoke(token.name);
  await clock.advance(1);
  expect(revoked).toEqual(['1']);
});

test('at its last use a token gets nothing that is leased', async () => {
  const holder = { ...token, numUses: -1 };
  await expect(grant('1', { holder })).rejects.toThrow('Secret cannot be returned; token had one use left');
  expect(revoked).toEqual(['1']);
});

describe('revocation', () => {
  test('by prefix takes leases and tokens below it, and no others', async () => {
    const login = await tokens.create(newToken({ path: 'auth/approle/login' }));
    const other = await tokens.create(newToken({ path: 'auth/approle2/login' }));
    await grant('1');
    await grant('2', { path: 'pki/issue/web2' });
    await leases.revokeBelow('pki/issue/web/', { force: false, later: false });
    expect(revoked).toEqual(['1']);
    expect(await tokens.byName(token.name)).toBeDefined();
    await leases.revokeBelow('auth/approle/', { force: false, later: false });
    expect(await tokens.lookup(login.id)).toBeUndefined();
    expect(await tokens.lookup(other.id)).toBeDefined();
  });

  test('goes through more than a page', async () => {
    await Promise.all(Array.from({ length: 450 }, (_, at) => grant(String(at))));
    await leases.revokeBelow('pki/', { force: false, later: false });
    expect(revoked).toHaveLength(450);
    await tokens.revoke(token.name);
    expect(await keys()).toEqual([]);
  });

  test('that fails is tried again, later each time, and then left to an operator', async () => {
    const { id } = await grant('1', { ttlMs: 1_000 });
    stuck.add('1');
    await clock.advance(hourMs);
    expect(await leases.lookup(id)).toMatchObject({ failure: 'the engine is away', failures: 6 });
    expect((await leases.irrevocable()).map((lease) => lease.id)).toEqual([id]);
    await expect(leases.revokeBelow('pki/', { force: false, later: false })).rejects.toThrow(
      `failed to revoke "${id}": the engine is away`,
    );
    await leases.revokeBelow('pki/', { force: true, later: false });
    expect(await leases.irrevocable()).toEqual([]);
    expect((await keys()).filter((key) => key.includes('pki'))).toEqual([]);
  });

  test('that fails once succeeds the next time', async () => {
    await grant('1', { ttlMs: 1_000 });
    stuck.add('1');
    await clock.advance(1_000);
    stuck.clear();
    await clock.advance(10_000);
    expect(revoked).toEqual(['1']);
    expect((await keys()).filter((key) => key.includes('pki'))).toEqual([]);
  });
});

test('leases are listed folder by folder', async () => {
  await grant('1');
  await grant('2', { path: 'pki/sign/web' });
  await tokens.create(newToken({ path: 'auth/approle/login' }));
  expect(await leases.list('')).toEqual(['auth/', 'pki/']);
  expect(await leases.list('pki/')).toEqual(['issue/', 'sign/']);
  expect(await leases.list('auth/')).toEqual(['approle/', 'token/']);
  expect(await leases.list('auth/approle/login/')).toEqual([expect.stringMatching(/^h[0-9a-f]{64}$/)]);
  await Promise.all(Array.from({ length: 300 }, (_, at) => grant(String(at))));
  expect(await leases.list('pki/')).toEqual(['issue/', 'sign/']);
  expect(await leases.list('pki/issue/web/')).toHaveLength(301);
});
