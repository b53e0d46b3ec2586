import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  type AuthorityFixture,
  authorityFixture,
  fixturePrefix,
} from '../../test/support/authority-fixture.ts';
import { dayMs, hourMs, minuteMs } from '../base/duration.ts';
import { type Certificate, serialText } from '../x509/certificate.ts';
import { readCrl, readCrlNumber } from '../x509/crl.ts';
import { findExtension, readCrlDistributionPoints } from '../x509/extension.ts';
import { oids } from '../x509/oid.ts';
import { verifySignature } from '../x509/signature.ts';
import type { Authority } from './authority.ts';
import { segmentSize } from './crl-segments.ts';
import { listId } from './list-signer.ts';
import { revocationKeysBelow } from './revocation-keys.ts';

let fixture: AuthorityFixture;
let authority: Authority;

beforeEach(async () => {
  fixture = await authorityFixture('crl lists');
  ({ authority } = fixture);
});

const complete = async (from = authority, issuer = 'default') =>
  readCrl((await from.crls.complete(issuer))!.der);
const delta = async (from = authority) => readCrl((await from.crls.delta('default'))!.der);
const serialsOf = ({ revoked }: { revoked: readonly { serial: Buffer }[] }) =>
  revoked.map(({ serial }) => serialText(serial)).toSorted();
const serials = (certificates: readonly Certificate[]) =>
  certificates.map(({ serial }) => serialText(serial)).toSorted();

async function revokeNew(count: number, from = authority): Promise<Certificate[]> {
  const made = await Promise.all(Array.from({ length: count }, () => fixture.signAside()));
  await Promise.all(made.map((certificate) => from.revocations.revoke(certificate)));
  return made;
}

/** As `revoke` leaves them, of certificates that nobody has. */
async function revokeMany(count: number, notAfter = fixture.clock.now() + 10 * dayMs): Promise<void> {
  const list = listId(authority.issuer('default').certificate);
  const at = revocationKeysBelow(fixturePrefix);
  const value = Buffer.from(
    JSON.stringify({ revokedAtMs: fixture.clock.now(), issuerId: '', list, notAfter }),
  );
  const puts = Array.from({ length: count }, (_, index) => {
    const serial = (index + 2 ** 40 + notAfter).toString(16).padStart(16, '0').match(/../g)!.join('-');
    return { key: at.unlisted(list, serial.replace(/^(00-)+(?=[0-7])/, '')), value };
  });
  await fixture.store.commit({ puts });
}

const segmentKeys = async () =>
  (await fixture.store.list({ prefix: `${fixturePrefix}crl/` }))
    .map(({ key }) => key)
    .filter((key) => key.includes('/segment/'));

test('what was revoked stands on the list that is fetched next, with its time and reason', async () => {
  const first = await complete();
  expect(first.revoked).toEqual([]);
  const [certificate] = await revokeNew(1);
  const second = await complete();
  expect(second.number).toBe(first.number! + 1n);
  expect(second.revoked).toEqual([{ serial: certificate!.serial, revokedAt: fixture.clock.now() }]);
  const other = await fixture.sign('b');
  await authority.revocations.revoke(other, { reason: 'key compromise' });
  const third = await complete();
  expect(third.revoked.find(({ serial }) => serial.equals(other.serial))).toEqual({
    serial: other.serial,
    revokedAt: fixture.clock.now(),
    reason: 'key compromise',
  });
  const { publicKey } = authority.issuer('default').certificate;
  const { signatureAlgorithm: algorithm, tbs: bytes, signature } = third;
  expect(verifySignature({ algorithm, bytes, signature, publicKey })).toBe(true);
});

test('a fetch after a revocation lists it even while others fetch and revoke', async () => {
  await Promise.all(
    Array.from({ length: 20 }, async () => {
      const [certificate] = await revokeNew(1);
      expect(serialsOf(await complete())).toContain(serialText(certificate!.serial));
    }),
  );
  expect((await complete()).revoked).toHaveLength(20);
});

test('nodes on one store share lists and numbers, and so does a restart', async () => {
  const other = await fixture.open();
  const numbers: bigint[] = [];
  const all: Certificate[] = [];
  for (const node of [authority, other, authority, other, other]) {
    all.push(...(await revokeNew(1, node)));
    const [here, there] = await Promise.all([complete(), complete(other)]);
    expect(serialsOf(here)).toEqual(serials(all));
    expect(there.der).toEqual(here.der);
    numbers.push(here.number!);
  }
  expect(numbers).toEqual(numbers.toSorted((a, b) => Number(a - b)));
  expect(new Set(numbers).size).toBe(numbers.length);
  expect((await complete(await fixture.open())).der).toEqual((await complete()).der);
});

test('a long list is kept in segments, of which a revocation writes one anew', async () => {
  await revokeMany(2 * segmentSize + 1_000);
  const many = await complete();
  expect(many.revoked).toHaveLength(2 * segmentSize + 1_000);
  const before = await segmentKeys();
  expect(before).toHaveLength(3);
  await revokeNew(1);
  const more = await complete();
  expect(more.revoked).toHaveLength(2 * segmentSize + 1_001);
  const after = await segmentKeys();
  expect(after).toHaveLength(3);
  expect(after.filter((key) => before.includes(key))).toHaveLength(2);
  expect((await complete(await fixture.open())).der).toEqual(more.der);
});

test('entries leave once a list that was due told of them beyond their end', async () => {
  await revokeMany(segmentSize + 10, fixture.clock.now() + dayMs);
  const [kept] = await revokeNew(1);
  expect((await complete()).revoked).toHaveLength(segmentSize + 11);
  await fixture.clock.advance(dayMs + hourMs);
  await revokeNew(1);
  expect((await complete()).revoked).toHaveLength(segmentSize + 12);
  await fixture.clock.advance(60 * hourMs);
  expect((await complete()).revoked).toHaveLength(segmentSize + 12);
  await fixture.clock.advance(60 * hourMs);
  const left = await complete();
  expect(left.revoked).toHaveLength(2);
  expect(serialsOf(left)).toContain(serialText(kept!.serial));
  expect(await segmentKeys()).toHaveLength(1);
});

test('issuers of one name and key share a list, though the first of them leaves', async () => {
  const { keyId } = authority.issuer('default');
  await fixture.root('root', { key: { existing: keyId! }, issuerName: 'again' });
  await fixture.root('other', { issuerName: 'other' });
  const [certificate] = await revokeNew(1);
  expect(serialsOf(await complete(authority, 'again'))).toEqual([serialText(certificate!.serial)]);
  expect((await complete(authority, 'again')).der).toEqual((await complete()).der);
  expect((await complete(authority, 'other')).revoked).toEqual([]);
});

describe('with automatic rebuilding', () => {
  beforeEach(async () => {
    await authority.revocations.setSettings({ autoRebuild: true, enableDelta: true });
  });

  test('the complete list waits for its time, and deltas tell of what came since', async () => {
    const base = await complete();
    expect((await delta()).revoked).toEqual([]);
    const made = await revokeNew(2);
    expect((await complete()).der).toEqual(base.der);
    expect((await delta()).revoked).toEqual([]);
    await fixture.clock.advance(15 * minuteMs);
    const changes = await delta();
    expect(serialsOf(changes)).toEqual(serials(made));
    const indicator = findExtension(changes.extensions, oids.deltaCrlIndicator)!;
    expect(indicator.critical).toBe(true);
    expect(readCrlNumber(indicator.value)).toBe(base.number);
    expect(changes.number! > base.number!).toBe(true);
    await fixture.clock.advance(15 * minuteMs);
    expect((await delta()).der).toEqual(changes.der);
    await fixture.clock.advance(60 * hourMs);
    const next = await complete();
    expect(serialsOf(next)).toEqual(serials(made));
    expect(next.number! > changes.number!).toBe(true);
    const fresh = await delta();
    expect(fresh.revoked).toEqual([]);
    expect(readCrlNumber(findExtension(fresh.extensions, oids.deltaCrlIndicator)!.value)).toBe(next.number);
  });

  test('both are made anew when asked to', async () => {
    await complete();
    const made = await revokeNew(1);
    await authority.crls.rotateDeltas();
    expect(serialsOf(await delta())).toEqual(serials(made));
    expect(await authority.crls.rotate()).toEqual([]);
    expect(serialsOf(await complete())).toEqual(serials(made));
    expect((await delta()).revoked).toEqual([]);
  });

  test('a complete list tells where its deltas are, a delta does not', async () => {
    const url = 'http://ca.example/v1/pki/crl/delta';
    await authority.setUrls({ ...authority.urls(), deltaCrlDistributionPoints: [url] });
    const freshest = findExtension((await complete()).extensions, oids.freshestCrl)!;
    expect(readCrlDistributionPoints(freshest.value)).toEqual([url]);
    expect(findExtension((await delta()).extensions, oids.freshestCrl)).toBeUndefined();
  });
});

test('numbers go on from what an earlier version used', async () => {
  const { id } = authority.issuer('default');
  const former = Buffer.from(JSON.stringify({ number: 41, thisUpdate: 0, nextUpdate: 0, der: '' }));
  await fixture.store.commit({ puts: [{ key: `${fixturePrefix}crl/${id}`, value: former }] });
  expect((await complete()).number).toBe(42n);
  await revokeNew(1);
  expect((await complete()).number).toBe(43n);
});

test('after a backup was restored lists tell what is there, not what was', async () => {
  const [first] = await revokeNew(1);
  await complete();
  const prefix = fixturePrefix;
  const backup = await fixture.store.list({ prefix });
  const lost = await revokeNew(3);
  expect((await complete()).revoked).toHaveLength(4);
  const now = await fixture.store.list({ prefix });
  await fixture.store.commit({
    deletes: now.map(({ key }) => key).filter((key) => !backup.some((entry) => entry.key === key)),
    puts: backup.map(({ key, value }) => ({ key, value })),
  });
  expect(serialsOf(await complete())).toEqual([serialText(first!.serial)]);
  const again = await revokeNew(1);
  const list = await complete();
  expect(serialsOf(list)).toEqual(serials([first!, ...again]));
  expect(serialsOf(list)).not.toContain(serialText(lost[0]!.serial));
  const { signatureAlgorithm: algorithm, tbs: bytes, signature } = list;
  const { publicKey } = authority.issuer('default').certificate;
  expect(verifySignature({ algorithm, bytes, signature, publicKey })).toBe(true);
});

test('a disabled list is empty, and tells all again once it is enabled', async () => {
  const made = await revokeNew(2);
  await complete();
  await authority.revocations.setSettings({ disable: true });
  expect((await complete()).revoked).toEqual([]);
  made.push(...(await revokeNew(1)));
  expect((await complete()).revoked).toEqual([]);
  await authority.revocations.setSettings({ disable: false });
  expect(serialsOf(await complete())).toEqual(serials(made));
});

test('settings that do not go together are refused', async () => {
  const set = (change: Parameters<typeof authority.revocations.setSettings>[0]) =>
    authority.revocations.setSettings(change);
  await expect(set({ enableDelta: true })).rejects.toThrow('auto rebuilding is disabled');
  await expect(set({ expiry: { text: '6h', ms: 6 * hourMs }, autoRebuild: true })).rejects.toThrow(
    'must be strictly shorter than CRL expiry (6h)',
  );
  await expect(set({ expiry: { text: '0', ms: 0 } })).rejects.toThrow('greater than 0');
});

test('whatever happens, lists tell what is revoked and numbers rise', { timeout: 60_000 }, async () => {
  const step = fc.constantFrom(
    'revoke',
    'revoke elsewhere',
    'fetch',
    'fetch elsewhere',
    'restart',
    'rotate',
    'day',
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      fixture = await authorityFixture('crl model');
      ({ authority } = fixture);
      let other = await fixture.open();
      const model: Certificate[] = [];
      let last: { number: bigint; der: Buffer } = { number: 0n, der: Buffer.alloc(0) };
      const look = async (node: Authority) => {
        const { number, der, ...list } = await complete(node);
        expect(serialsOf(list)).toEqual(serials(model));
        expect(number! > last.number || der.equals(last.der)).toBe(true);
        expect(list.nextUpdate! > fixture.clock.now()).toBe(true);
        last = { number: number!, der };
      };
      for (const one of steps) {
        if (one === 'revoke') model.push(...(await revokeNew(1)));
        else if (one === 'revoke elsewhere') model.push(...(await revokeNew(1, other)));
        else if (one === 'fetch') await look(authority);
        else if (one === 'fetch elsewhere') await look(other);
        else if (one === 'restart') other = await fixture.open();
        else if (one === 'rotate') await authority.crls.rotate();
        else if (model.length === 0) await fixture.clock.advance(dayMs);
      }
      await look(other);
    }),
    { numRuns: 25 },
  );
});
