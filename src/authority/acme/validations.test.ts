import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { secondMs } from '../../base/duration.ts';
import { seededEntropy } from '../../base/entropy.ts';
import { silentLog } from '../../base/log.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { memoryStore } from '../../store/memory.ts';
import type { Account } from './accounts.ts';
import { AcmeStore, putting } from './acme-store.ts';
import {
  type Authorization,
  keyAuthorizationDigest,
  newAuthorization,
  startChallenge,
} from './authorization.ts';
import { readJwk } from './jwk.ts';
import type { Prober } from './prober.ts';
import { newValidation, planValidations, retryDelay, type Validation, Validator } from './validations.ts';

const jwk = {
  crv: 'P-256',
  kty: 'EC',
  x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4',
  y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM',
};
const { thumbprint } = readJwk(jwk);
const account: Account = {
  id: 'account',
  directory: 'acme',
  status: 'valid',
  contact: [],
  termsAgreed: false,
  jwk,
  createdMs: 0,
};

/** A store with one challenge that waits, and what a DNS server says of it. */
async function waiting() {
  const clock = new ManualClock();
  const guard = { key: 'mount', revision: 0 };
  const inner = memoryStore();
  const store = new AcmeStore({ store: inner, prefix: 'acme/', guard: () => guard });
  const pending = newAuthorization(
    { type: 'dns', value: 'a.example' },
    {
      accountId: account.id,
      orderId: 'order',
      expiresMs: clock.now() + 86_400_000,
      entropy: seededEntropy('v'),
    },
  );
  const authorization = startChallenge(pending, 'dns-01', clock.now())!;
  await store.commit({
    puts: [
      putting(store.at.account(account.id), account),
      putting(store.at.authorization(account.id, authorization.id), authorization),
      putting(store.at.validation(authorization.id), newValidation(authorization, 'dns-01', clock.now())),
    ],
  });
  const challenge = authorization.challenges.find(({ type }) => type === 'dns-01')!;
  const proof = keyAuthorizationDigest(challenge, thumbprint).toString('base64url');
  const records: string[] = [];
  const tries: number[] = [];
  const prober: Prober = {
    http: () => Promise.reject(new Error('not over HTTP')),
    tls: () => Promise.reject(new Error('not over TLS')),
    async texts() {
      tries.push(clock.now());
      return { found: records };
    },
  };
  const node = (over: Prober = prober) =>
    new Validator({ store, clock, log: silentLog, prober: over, resolver: async () => '' });
  const read = async () =>
    (await store.read<Authorization>(store.at.authorization(account.id, authorization.id)))!.value;
  const left = () => store.list<Validation>(store.at.validations());
  return { clock, store, authorization, proof, records, tries, prober, node, read, left };
}

test('a proof that comes late is found at the next try', async () => {
  const { clock, records, proof, node, read, left, tries } = await waiting();
  const validator = node();
  validator.look();
  await clock.advance(secondMs);
  expect((await read()).challenges.find(({ type }) => type === 'dns-01')).toMatchObject({
    status: 'processing',
    error: { type: 'urn:ietf:params:acme:error:incorrectResponse' },
  });
  records.push(proof);
  await clock.advance(2 * secondMs);
  const proven = await read();
  expect(proven.status).toBe('valid');
  const [challenge] = proven.challenges.filter(({ type }) => type === 'dns-01');
  expect(challenge).toMatchObject({ status: 'valid', validatedMs: clock.now() - secondMs });
  expect(challenge).not.toHaveProperty('error');
  expect(tries).toHaveLength(2);
  expect(await left()).toEqual([]);
  await validator.close();
});

test('after six tries, ever further apart, it is over', async () => {
  const { clock, node, read, left, tries } = await waiting();
  const start = clock.now();
  const validator = node();
  validator.look();
  await clock.advance(120 * secondMs);
  expect(tries.map((ms) => (ms - start) / secondMs)).toEqual([0, 2, 6, 14, 30, 62]);
  expect((await read()).status).toBe('invalid');
  expect(await left()).toEqual([]);
  await validator.close();
});

test('of several nodes one tries at a time', async () => {
  const { clock, node, tries } = await waiting();
  const nodes = [node(), node(), node()];
  for (const one of nodes) one.look();
  await clock.advance(secondMs);
  for (const one of nodes) one.look();
  await clock.advance(4 * secondMs);
  expect(tries).toHaveLength(2);
  await Promise.all(nodes.map((one) => one.close()));
});

test('what a node was at when it died is tried by another once its claim is over', async () => {
  const { clock, node, read, records, proof, prober, tries } = await waiting();
  records.push(proof);
  const dying = node({ ...prober, texts: () => new Promise(() => {}) });
  dying.look();
  await clock.advance(secondMs);
  const other = node();
  other.look();
  await clock.advance(40 * secondMs);
  expect(tries).toEqual([]);
  await clock.advance(10 * secondMs);
  expect((await read()).status).toBe('valid');
  await other.close();
});

test('an account or an authorization that is over is not tried', async () => {
  for (const end of ['account', 'authorization'] as const) {
    const { clock, store, authorization, node, left, tries } = await waiting();
    const over =
      end === 'account'
        ? putting(store.at.account(account.id), { ...account, status: 'deactivated' })
        : putting(store.at.authorization(account.id, authorization.id), {
            ...authorization,
            status: 'deactivated',
          });
    await store.commit({ puts: [over] });
    const validator = node();
    validator.look();
    await clock.advance(secondMs);
    expect(tries).toEqual([]);
    expect(await left()).toEqual([]);
    await validator.close();
  }
});

test('a store that cannot be read is asked again', async () => {
  const { clock, store, node, read, records, proof } = await waiting();
  records.push(proof);
  const list = store.list.bind(store);
  let broken = true;
  store.list = (...args) => (broken ? Promise.reject(new Error('away')) : list(...args));
  const validator = node();
  validator.look();
  await clock.advance(secondMs);
  broken = false;
  await clock.advance(10 * secondMs);
  expect((await read()).status).toBe('valid');
  await validator.close();
});

test('what a node is at when it closes is free for the next at once', async () => {
  const { clock, node, read, records, proof, left } = await waiting();
  records.push(proof);
  const closing = node({
    http: () => Promise.reject(new Error('not over HTTP')),
    tls: () => Promise.reject(new Error('not over TLS')),
    texts: (_, { signal }) =>
      new Promise((resolve) => {
        const failure = { type: 'connection', detail: 'closing' } as const;
        signal.addEventListener('abort', () => resolve({ failure }));
      }),
  });
  closing.look();
  await clock.advance(secondMs);
  await closing.close();
  expect((await left())[0]!.value).toMatchObject({ tries: 0, claimedUntilMs: 0 });
  const next = node();
  next.look();
  await clock.advance(secondMs);
  expect((await read()).status).toBe('valid');
  await next.close();
});

test('a node that is closed starts nothing more', async () => {
  const { clock, node, tries } = await waiting();
  const validator = node();
  await validator.close();
  validator.look();
  await clock.advance(60 * secondMs);
  expect(tries).toEqual([]);
});

test('a plan starts what is due and free, within bounds, and never sleeps past the next', () => {
  const validation = fc.record({
    dueMs: fc.nat(100),
    claimedUntilMs: fc.nat(100),
    authorizationId: fc.uuid(),
  });
  fc.assert(
    fc.property(fc.array(validation), fc.nat(100), fc.array(fc.nat(50)), (some, nowMs, taken) => {
      const all = some.map((one) => ({ ...one, accountId: 'a', type: 'dns-01' as const, tries: 0 }));
      const busy = new Set(taken.flatMap((index) => all[index]?.authorizationId ?? []));
      const { start, lookAgainMs } = planValidations(all, { nowMs, busy });
      expect(start.length + busy.size).toBeLessThanOrEqual(Math.max(16, busy.size));
      for (const one of start) {
        expect(busy.has(one.authorizationId)).toBe(false);
        expect(Math.max(one.dueMs, one.claimedUntilMs)).toBeLessThanOrEqual(nowMs);
      }
      for (const { authorizationId, dueMs, claimedUntilMs } of all) {
        const readyMs = Math.max(dueMs, claimedUntilMs);
        if (!busy.has(authorizationId) && readyMs > nowMs) expect(lookAgainMs).toBeLessThanOrEqual(readyMs);
      }
    }),
  );
});

test('retries end', () => {
  expect([1, 2, 3, 4, 5, 6].map(retryDelay)).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, undefined]);
});

test('many that wait are all tried, a few at a time', async () => {
  const { clock, store, authorization, records, proof, prober, left } = await waiting();
  records.push(proof);
  const template = (await left())[0]!.value;
  const ids = Array.from({ length: 450 }, (_, index) => `other-${index}`);
  for (const id of ids) {
    await store.commit({
      puts: [
        putting(store.at.authorization(account.id, id), { ...authorization, id }),
        putting(store.at.validation(id), { ...template, authorizationId: id }),
      ],
    });
  }
  let most = 0;
  let underWay = 0;
  const slow: Prober = {
    ...prober,
    async texts() {
      most = Math.max(most, ++underWay);
      await new Promise<void>((resolve) => void clock.after(100, resolve));
      underWay -= 1;
      return { found: records };
    },
  };
  const validator = new Validator({ store, clock, log: silentLog, prober: slow, resolver: async () => '' });
  validator.look();
  await clock.advance(10 * secondMs);
  expect(await left()).toEqual([]);
  expect(most).toBe(16);
  await validator.close();
});
