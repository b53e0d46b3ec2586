import { afterEach, beforeEach, expect, test } from 'vitest';
import { lookedAt } from '../src/authority/certificate-search.ts';
import { hourMs } from '../src/base/duration.ts';
import { memoryStore } from '../src/store/memory.ts';
import type { ListOptions, Store } from '../src/store/store.ts';
import { type TestVault, testVault } from './support/vault.ts';

let vault: TestVault;
/** What was asked of the store, and how many entries each answer had. */
const lists: (ListOptions & { answered: number })[] = [];
beforeEach(async () => {
  const plain = memoryStore();
  const store: Store = {
    ...plain,
    async list(options) {
      const entries = await plain.list(options);
      lists.push({ ...options, answered: entries.length });
      return entries;
    },
  };
  vault = await testVault({ store });
  await vault.call('POST', 'sys/mounts/pki', { type: 'pki' });
  await root('first');
  await root('second');
  const role = { allow_any_name: true, key_type: 'ec' };
  await vault.call('POST', 'pki/roles/web', role);
});
afterEach(() => vault.close());

async function root(name: string): Promise<void> {
  const { errors } = await vault.call('POST', 'pki/root/generate/internal', {
    ...{ common_name: name, issuer_name: name, key_type: 'ec', ttl: '700h' },
  });
  expect(errors).toEqual([]);
}

async function issue(issuer: string, ttl: string): Promise<string> {
  const { data, errors } = await vault.call('POST', `pki/issuer/${issuer}/issue/web`, {
    ...{ common_name: 'a', ttl },
  });
  expect(errors).toEqual([]);
  return data.serial_number as string;
}

const find = async (query: string) => {
  const { status, data, warnings, errors } = await vault.call('LIST', `pki/certs/detailed?${query}`);
  return {
    ...{ status, warnings, errors },
    keys: (data?.keys ?? []) as string[],
    next: data?.next as string | undefined,
  };
};

/** All pages, as a client reads them that goes by `next`. */
async function findAll(query: string, limit: number): Promise<string[]> {
  const keys: string[] = [];
  for (let next: string | undefined = ''; next !== undefined; ) {
    const page = await find(`${query}&limit=${limit}&after=${next}`);
    expect(page.keys.length).toBeLessThanOrEqual(limit);
    keys.push(...page.keys);
    ({ next } = page);
  }
  return keys;
}

const revoke = (serial: string) => vault.call('POST', 'pki/revoke', { serial_number: serial });

test('by issuer: in the order of their ends, from one index, in pages', async () => {
  const ends = ['3h', '1h', '2h'];
  const first: string[] = [];
  for (const ttl of ends) first.push(await issue('first', ttl));
  const second = await issue('second', '90m');
  const ordered = [first[1]!, first[2]!, first[0]!];
  const all = (await find('issuer_ref=first')).keys;
  // The root is its own issuer, and ends last.
  expect(all.slice(0, 3)).toEqual(ordered);
  expect(all).toHaveLength(4);
  expect(await findAll('issuer_ref=first', 2)).toEqual(all);
  expect(await findAll('issuer_ref=first', 1)).toEqual(all);
  expect((await find('issuer_ref=second&expires_before=100h')).keys).toEqual([second]);
  lists.length = 0;
  expect((await find('issuer_ref=first&limit=2')).keys).toEqual(ordered.slice(0, 2));
  expect(lists.filter(({ prefix }) => prefix.includes('/cert/'))).toEqual([]);
  expect(lists.find(({ prefix }) => prefix.includes('/signed/'))).toMatchObject({
    ...{ limit: 2, keysOnly: true, answered: 2 },
  });
});

test('by end: before, after and between, as times or from now on, with and without an issuer', async () => {
  const [one, two, three] = [
    await issue('first', '1h'),
    await issue('first', '2h'),
    await issue('first', '3h'),
  ];
  const other = await issue('second', '2h');
  const sorted = (keys: string[]) => keys.toSorted();
  for (const issuer of ['', 'issuer_ref=first&']) {
    const others = issuer === '' ? [other] : [];
    expect(sorted((await find(`${issuer}expires_before=90m`)).keys)).toEqual([one]);
    expect(sorted((await find(`${issuer}expires_before=150m`)).keys)).toEqual(sorted([one, two, ...others]));
    const between = await find(`${issuer}expires_after=5400&expires_before=150m`);
    expect(sorted(between.keys)).toEqual(sorted([two, ...others]));
    const at = new Date(vault.clock.now() + 2.5 * hourMs).toISOString();
    expect((await find(`${issuer}expires_after=${at}&expires_before=100h`)).keys).toEqual([three]);
    expect((await find(`${issuer}expires_before=-1h`)).status).toBe(404);
  }
  await vault.clock.advance(1.5 * hourMs);
  expect((await find('expires_before=0s')).keys).toEqual([one]);
  expect((await find('issuer_ref=first&expires_after=-1h&expires_before=0s')).keys).toEqual([one]);
});

test('the span leaves out what ends just when it begins or ends', async () => {
  const serial = await issue('first', '1h');
  const { data } = await vault.call('LIST', 'pki/certs/detailed');
  const end = (data.key_info as Record<string, { not_after: string }>)[serial]!.not_after;
  for (const issuer of ['', 'issuer_ref=first&']) {
    expect((await find(`${issuer}expires_before=${end}`)).keys).not.toContain(serial);
    expect((await find(`${issuer}expires_after=${end}`)).keys).not.toContain(serial);
    expect((await find(`${issuer}expires_before=100h`)).keys).toContain(serial);
  }
});

test('by state, with all else and in pages of any size', async () => {
  const good: string[] = [];
  const bad: string[] = [];
  for (let made = 0; made < 3; made++) {
    good.push(await issue('first', '1h'));
    bad.push(await issue('first', '2h'));
  }
  bad.push(await issue('second', '2h'));
  for (const serial of bad) await revoke(serial);
  expect((await find('revoked=true')).keys).toEqual(bad.toSorted());
  expect(await findAll('revoked=true', 2)).toEqual(bad.toSorted());
  expect(await findAll('revoked=true&expires_before=90m', 2)).toEqual([]);
  expect((await findAll('revoked=true&issuer_ref=first', 1)).toSorted()).toEqual(bad.slice(0, 3).toSorted());
  for (const issuer of ['', 'issuer_ref=first&']) {
    for (const limit of [1, 2, 10]) {
      const kept = await findAll(`${issuer}revoked=false&expires_before=100h`, limit);
      expect(kept.toSorted()).toEqual(good.toSorted());
    }
  }
});

test('a page looks at a bounded number, and says so where it found nothing there', async () => {
  for (let made = 0; made < lookedAt + 50; made++) {
    const { errors } = await vault.call('POST', 'pki/issuer/first/issue/web', {
      ...{ common_name: 'a', ttl: '1h' },
    });
    expect(errors).toEqual([]);
  }
  const late = await issue('second', '5h');
  lists.length = 0;
  const page = await find('expires_after=4h&expires_before=6h&limit=5');
  const seen = lists.filter(({ prefix }) => prefix.endsWith('/cert/'));
  expect(seen.reduce((sum, { answered }) => sum + answered, 0)).toBe(lookedAt);
  expect(page.next).toBeDefined();
  if (page.keys.length === 0) {
    expect(page.status).toBe(200);
    expect(page.warnings).toEqual([`There may be more certificates: go on with after=${page.next}`]);
  }
  expect(await findAll('expires_after=4h&expires_before=6h', 5)).toEqual([late]);
  expect((await find('revoked=false')).keys.length).toBe(lookedAt);
  expect(await findAll('issuer_ref=first&expires_before=2h', 400)).toHaveLength(lookedAt + 50);
});

test('what cannot be meant is refused, and without a filter all stays as it was', async () => {
  const serial = await issue('first', '1h');
  expect(await find('expires_before=soon')).toMatchObject({ status: 400 });
  expect((await find('expires_after=2027-13-01T00:00:00Z')).errors[0]).toMatch(/field "expires_after"/);
  expect((await find('issuer_ref=none')).status).toBe(500);
  expect(await find('issuer_ref=first&after=aa:bb')).toMatchObject({
    status: 400,
    errors: [expect.stringContaining('no certificate with serial aa:bb')],
  });
  const plain = await find('limit=1');
  expect([plain.keys.length, plain.next]).toEqual([1, undefined]);
  expect((await find('')).keys).toContain(serial);
});
