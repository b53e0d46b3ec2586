import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  type AuthorityFixture,
  authorityFixture,
  fixturePrefix,
} from '../../../test/support/authority-fixture.ts';
import { dayMs, hourMs, minuteMs } from '../../base/duration.ts';
import { Fault } from '../../base/fault.ts';
import { type Certificate, certificatePem, serialText } from '../../x509/certificate.ts';
import type { Authority } from '../authority.ts';
import type { AcmeTidying, Tidier } from './tidier.ts';
import { defaultAutoTidy, type TidyOptions } from './tidy-options.ts';
import { decideTidy, type TidyRecord, type TidyState } from './tidy-record.ts';

let fixture: AuthorityFixture;
let authority: Authority;
let tidier: Tidier;

const acme: AcmeTidying = async () => ({
  accounts: 4,
  accountsRevoked: 3,
  accountsDeleted: 2,
  ordersDeleted: 1,
});
const options: TidyOptions = { ...defaultAutoTidy, certStore: true, revokedCerts: true };

beforeEach(async () => {
  fixture = await authorityFixture('tidier');
  ({ authority } = fixture);
  tidier = await authority.openTidier(acme);
});

async function finished(of = tidier): Promise<TidyRecord> {
  for (;;) {
    const record = await of.last();
    if (record && record.state !== 'Running' && record.state !== 'Cancelling') return record;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function tidy(more: Partial<TidyOptions> = {}): Promise<TidyRecord> {
  expect(await tidier.start({ ...options, ...more })).toBe(true);
  return finished();
}

const isKept = async ({ serial }: Certificate) => Boolean(await authority.certificate(serialText(serial)));
const isRevoked = async ({ serial }: Certificate) =>
  Boolean(await authority.revocations.status(serialText(serial)));
/** All keys but those of the issuer, its key and the settings. */
const keysBelow = async (folder: string) =>
  (await fixture.store.list({ prefix: `${fixturePrefix}${folder}/` })).map(({ key }) => key);

test('what has been over for as long as the buffer leaves, and with it all that was kept of it', async () => {
  const short = await fixture.sign('short', dayMs);
  const long = await fixture.sign('long', 20 * dayMs);
  const revoked = await fixture.sign('revoked', dayMs);
  await authority.revocations.revoke(revoked);
  await authority.crls.complete('default');
  await fixture.clock.advance(4 * dayMs);
  const early = await tidy();
  expect([early.state, early.counts.certificates]).toEqual(['Finished', 0]);
  await fixture.clock.advance(1_000);
  const record = await tidy();
  expect(record).toMatchObject({ state: 'Finished', counts: { certificates: 2, revocations: 1 } });
  expect(await Promise.all([short, long, revoked].map(isKept))).toEqual([false, true, false]);
  expect(await isRevoked(revoked)).toBe(false);
  expect(await keysBelow('revoked')).toEqual([]);
  expect(await keysBelow('revoked-end')).toEqual([]);
  // The root's, and that of the one that is left.
  expect(await keysBelow('signed')).toHaveLength(2);
});

test('without revoked ones the revocation stays, and is told by OCSP and lists', async () => {
  const revoked = await fixture.sign('revoked', dayMs);
  await authority.revocations.revoke(revoked);
  await fixture.clock.advance(5 * dayMs);
  await tidy({ revokedCerts: false });
  expect([await isKept(revoked), await isRevoked(revoked)]).toEqual([false, true]);
  await tidy({ certStore: false });
  expect(await isRevoked(revoked)).toBe(false);
});

test('revoked ones have a buffer of their own', async () => {
  const [plain, revoked] = [await fixture.sign('plain', dayMs), await fixture.sign('revoked', dayMs)];
  await authority.revocations.revoke(revoked);
  await fixture.clock.advance(dayMs + 2 * hourMs);
  await tidy({ safetyBufferMs: hourMs, revokedSafetyBufferMs: 3 * hourMs });
  expect([await isKept(plain), await isKept(revoked), await isRevoked(revoked)]).toEqual([false, true, true]);
  await fixture.clock.advance(2 * hourMs);
  await tidy({ safetyBufferMs: hourMs, revokedSafetyBufferMs: 3 * hourMs });
  expect([await isKept(revoked), await isRevoked(revoked)]).toEqual([false, false]);
});

test('pages are gone through to the end, those of issuers that have left included', async () => {
  const { issuer } = await fixture.root('other', { issuerName: 'other' });
  const made = [];
  for (let index = 0; index < 23; index++) made.push(await fixture.sign(`n${index}`, dayMs));
  await authority.setDefaults({ issuer: 'other' });
  for (let index = 0; index < 7; index++) made.push(await fixture.sign(`m${index}`, dayMs));
  await authority.deleteIssuer(issuer.id);
  await fixture.clock.advance(5 * dayMs);
  const record = await tidy({ pageSize: 5 });
  expect(record.counts.certificates).toBe(30);
  expect((await Promise.all(made.map(isKept))).includes(true)).toBe(false);
});

test('expired issuers leave, but for the default one; their keys stay', async () => {
  const { issuer } = await fixture.root('short', {
    issuerName: 'short',
    validity: { ttlMs: dayMs, backdateMs: 30_000 },
  });
  await fixture.clock.advance(2 * dayMs);
  await tidy({ expiredIssuers: true, issuerSafetyBufferMs: 2 * dayMs });
  expect(authority.issuers()).toHaveLength(2);
  await tidy({ expiredIssuers: true, issuerSafetyBufferMs: hourMs });
  expect(authority.issuers().map(({ id }) => id)).not.toContain(issuer.id);
  expect(authority.keys()).toHaveLength(2);
});

test('what was revoked while its issuer was away finds its list', async () => {
  const certificate = await fixture.sign('a');
  const { issuer } = await fixture.root('other', { issuerName: 'other' });
  const first = authority.issuer('default');
  await authority.setDefaults({ issuer: 'other' });
  await authority.deleteIssuer(first.id);
  await authority.revocations.revoke(certificate);
  expect((await authority.revocations.status(serialText(certificate.serial)))!.issuerId).toBe('');
  await authority.importBundle(certificatePem(first.certificate), { keysAllowed: false });
  const record = await tidy({ issuerAssociations: true });
  expect(record.counts.missingIssuers).toBe(1);
  const { issuerId } = (await authority.revocations.status(serialText(certificate.serial)))!;
  expect(issuerId).not.toBe('');
  expect(issuerId).not.toBe(issuer.id);
});

test('ACME has its part, with its own counts', async () => {
  const { counts } = await tidy({ acme: true });
  expect(counts).toMatchObject({
    acmeAccounts: 4,
    acmeAccountsRevoked: 3,
    acmeAccountsDeleted: 2,
    acmeOrdersDeleted: 1,
  });
});

describe('one run at a time', () => {
  const paced = { ...options, pageSize: 5, pauseMs: minuteMs };

  test('over all nodes, cancelled from any of them', async () => {
    for (let index = 0; index < 8; index++) await fixture.sign(`n${index}`, dayMs);
    await fixture.clock.advance(5 * dayMs);
    const other = await (await fixture.open()).openTidier(acme);
    expect(await tidier.start(paced)).toBe(true);
    expect(await other.start(options)).toBe(false);
    expect(await other.cancel()).toBe(true);
    await fixture.clock.advance(10 * minuteMs);
    const record = await finished();
    expect(record.state).toBe('Cancelled');
    expect(record.counts.certificates).toBeLessThan(8);
    expect(await other.cancel()).toBe(false);
    expect(await other.start(options)).toBe(true);
    expect((await finished(other)).state).toBe('Finished');
  });

  test('which another node goes on with where it was left', async () => {
    for (let index = 0; index < 8; index++) await fixture.sign(`n${index}`, dayMs);
    await fixture.clock.advance(5 * dayMs);
    expect(await tidier.start(paced)).toBe(true);
    await fixture.clock.advance(0);
    tidier.close();
    const other = await (await fixture.open()).openTidier(acme);
    expect((await other.last())!.state).toBe('Running');
    await fixture.clock.advance(30 * minuteMs);
    const record = await finished(other);
    expect(record).toMatchObject({ state: 'Finished', counts: { certificates: 8 } });
  });
});

test('a run that the store broke off is gone on with once the store is back', async () => {
  for (let index = 0; index < 8; index++) await fixture.sign(`n${index}`, dayMs);
  await fixture.clock.advance(5 * dayMs);
  const { store } = fixture;
  const commit = store.commit.bind(store);
  let broken = false;
  store.commit = async (batch) => {
    if (broken) throw new Fault('out of reach', { code: 'store.unavailable', blame: 'operator' });
    return commit(batch);
  };
  expect(await tidier.start({ ...options, pageSize: 5, pauseMs: minuteMs })).toBe(true);
  await fixture.clock.advance(0);
  broken = true;
  await fixture.clock.advance(10 * minuteMs);
  expect((await tidier.last())!.state).toBe('Running');
  broken = false;
  await fixture.clock.advance(30 * minuteMs);
  expect(await finished()).toMatchObject({ state: 'Finished', counts: { certificates: 8 } });
});

test('by itself, once its time has come and again after that', async () => {
  await tidier.setAuto({ ...defaultAutoTidy, ...options, enabled: true });
  const certificate = await fixture.sign('a', dayMs);
  expect(await tidier.last()).toBeUndefined();
  await fixture.clock.advance(12 * hourMs);
  expect((await finished()).counts.certificates).toBe(0);
  await fixture.clock.advance(4 * dayMs);
  await finished();
  expect(await isKept(certificate)).toBe(false);
  await tidier.setAuto({ ...defaultAutoTidy, enabled: false });
  expect(fixture.clock.nextDueMs()).toBeUndefined();
});

test('what is refused: no buffer, too small pages, and nothing to do by itself', async () => {
  await expect(tidier.start({ ...options, safetyBufferMs: 0 })).rejects.toThrow('safety_buffer must be');
  await expect(tidier.start({ ...options, pageSize: 4 })).rejects.toThrow('page_size');
  await expect(tidier.setAuto({ ...defaultAutoTidy, enabled: true })).rejects.toThrow('no tidy operations');
});

test('what happens by itself: never two runs, never before its time', () => {
  const states: TidyState[] = ['Running', 'Finished', 'Error', 'Cancelling', 'Cancelled'];
  fc.assert(
    fc.property(
      fc.record({
        state: fc.constantFrom(...states),
        seenMs: fc.nat(10_000_000),
        mine: fc.boolean(),
        enabled: fc.boolean(),
        nowMs: fc.nat(100_000_000),
      }),
      ({ state, seenMs, mine, enabled, nowMs }) => {
        const record = { state, seenMs, finishedMs: seenMs, runner: mine ? 'me' : 'other' } as TidyRecord;
        const auto = { auto: { ...defaultAutoTidy, enabled }, sinceMs: 0 };
        const decision = decideTidy(auto, record, { nowMs, runner: 'me' });
        const under = state === 'Running' || state === 'Cancelling';
        if (decision === 'start') expect([under, nowMs - seenMs >= 12 * hourMs]).toEqual([false, true]);
        if (decision === 'resume')
          expect([under, mine, nowMs - seenMs >= 2 * minuteMs]).toEqual([true, false, true]);
        if (typeof decision === 'object') expect(decision.waitMs).toBeGreaterThan(0);
        if (decision === undefined) expect(under ? mine : !enabled).toBe(true);
      },
    ),
  );
});
