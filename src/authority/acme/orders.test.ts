import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { dayMs, hourMs } from '../../base/duration.ts';
import { seededEntropy } from '../../base/entropy.ts';
import { silentLog } from '../../base/log.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { memoryStore } from '../../store/memory.ts';
import { subjectAltName } from '../../x509/extension.ts';
import { generateKey } from '../../x509/key.ts';
import { nameOf } from '../../x509/name.ts';
import { buildRequest } from '../../x509/request.ts';
import { signerOf } from '../../x509/signature.ts';
import { openAuthority } from '../authority.ts';
import type { Account } from './accounts.ts';
import { type Acme, openAcme } from './acme.ts';
import { authorizationStatus, keyAuthorizationDigest } from './authorization.ts';
import { readJwk } from './jwk.ts';
import type { OrderStatus } from './order.ts';
import { Problem } from './problem.ts';

const entropy = seededEntropy('orders');
const key = generateKey({ type: 'ec', curve: 'P-256' }, entropy);
const accountKey = readJwk(
  generateKey({ type: 'ec', curve: 'P-256' }, entropy).publicKey.key.export({ format: 'jwk' }),
);
const directoryName = { path: 'acme' };

/** A CA with ACME, one account, and name servers that a test fills. */
async function world() {
  const clock = new ManualClock();
  const store = memoryStore();
  const limits = { defaultTtlMs: 30 * dayMs, maxTtlMs: 3_650 * dayMs };
  const place = {
    store,
    prefix: 'data/',
    clock,
    entropy,
    limits: () => limits,
    guard: () => ({ key: 'mount', revision: 0 }),
  };
  const authority = await openAuthority(place);
  await authority.generateRoot({
    commonName: 'root',
    subject: {},
    excludeCommonName: false,
    altNames: [],
    ipSans: [],
    uriSans: [],
    otherSans: [],
    validity: { ttlMs: 3_650 * dayMs, backdateMs: 30_000 },
    maxPathLength: undefined,
    permittedDnsDomains: [],
    keyUsage: [],
    subjectKeyId: undefined,
    key: { generate: { type: 'ec', curve: 'P-256' } },
    issuerName: '',
    keyName: '',
    hash: undefined,
  });
  await authority.setCluster({ path: 'https://ca.example/v1/pki' });
  const texts = new Map<string, string[]>();
  const prober = {
    http: () => Promise.reject(new Error('not over HTTP')),
    tls: () => Promise.reject(new Error('not over TLS')),
    texts: async (name: string) => ({ found: texts.get(name) ?? [] }),
  };
  const acme = openAcme({ ...place, log: silentLog, prober, authority });
  await acme.settings.change({ enabled: true });
  const { account } = await acme.accounts.open(
    { directory: 'acme', url: '', key: accountKey, payload: {} },
    'not-required',
  );
  return { clock, acme, account, texts, authority };
}

type World = Awaited<ReturnType<typeof world>>;

const names = ['a.example', 'b.example', '*.a.example'];

const step = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('order' as const), names: fc.subarray(names, { minLength: 1 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('challenge' as const),
      at: fc.nat(),
      which: fc.nat(),
      proven: fc.constantFrom(true, true, true, false),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('prove' as const), at: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('deactivate' as const), at: fc.nat(), which: fc.nat() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('finalize' as const),
      at: fc.nat(),
      names: fc.option(fc.subarray(names, { minLength: 1 })),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(1_000, 70_000, hourMs, dayMs),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function csr(wanted: readonly string[]) {
  const extensions = [subjectAltName(wanted.map((value) => ({ type: 'dns', value })))];
  return (await buildRequest({ subject: nameOf({}), extensions }, signerOf(key))).der.toString('base64url');
}

/** What ACME refuses is no failure of the test; anything else is. */
async function unlessRefused<T>(act: Promise<T>): Promise<T | undefined> {
  try {
    return await act;
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

class Run {
  readonly #world: World;
  readonly orders: { id: string; names: readonly string[]; authorizationIds: readonly string[] }[] = [];
  readonly #final = new Map<string, OrderStatus>();
  certificates = 0;

  constructor(of: World) {
    this.#world = of;
  }

  async take(one: Step): Promise<void> {
    const { acme, account, clock } = this.#world;
    if (one.do === 'wait') return clock.advance(one.ms);
    if (one.do === 'order') {
      const payload = { identifiers: one.names.map((value) => ({ type: 'dns', value })) };
      const { order } = await acme.orders.create(account, (await acme.directory(directoryName))!, payload);
      this.orders.push({ ...order, names: one.names });
      return undefined;
    }
    const order = this.orders[one.at % Math.max(1, this.orders.length)];
    if (!order) return undefined;
    const { authorizationIds } = order;
    const chosen = 'which' in one ? authorizationIds[one.which % authorizationIds.length]! : '';
    if (one.do === 'deactivate') await unlessRefused(acme.orders.deactivate(account.id, chosen));
    else if (one.do === 'challenge') await this.#challenge(chosen, one.proven);
    else if (one.do === 'prove') for (const id of authorizationIds) await this.#challenge(id, true);
    else await this.#finalize(order, one.names ?? order.names, account, acme);
    return undefined;
  }

  async #challenge(id: string, proven: boolean): Promise<void> {
    const { acme, account, texts, clock } = this.#world;
    const { challenges, identifier } = await acme.orders.authorization(account.id, id);
    const challenge = challenges.find(({ type }) => type === 'dns-01')!;
    const record = `_acme-challenge.${identifier.value}`;
    const proof = keyAuthorizationDigest(challenge, accountKey.thumbprint).toString('base64url');
    if (proven) texts.set(record, [...(texts.get(record) ?? []), proof]);
    await unlessRefused(acme.orders.challenge(account.id, id, 'dns-01'));
    await clock.advance(1_000);
  }

  async #finalize(
    order: Run['orders'][number],
    wanted: readonly string[],
    account: Account,
    acme: Acme,
  ): Promise<void> {
    const { clock } = this.#world;
    const directory = (await acme.directory(directoryName))!;
    const before = await acme.orders.get(account.id, order.id);
    const done = await unlessRefused(
      acme.orders.finalize(account, directory, order.id, { csr: await csr(wanted) }),
    );
    if (!done) return;
    this.certificates += 1;
    expect(before.status).toBe('ready');
    expect(clock.now()).toBeLessThan(before.order.expiresMs);
    expect(before.authorizations.map((one) => authorizationStatus(one, clock.now()))).toEqual(
      order.names.map(() => 'valid'),
    );
    expect(new Set(wanted)).toEqual(new Set(order.names));
    const [chain] = await acme.chains(done.order.certificate!);
    expect(new Set(chain!.certificates[0]!.subjectAltNames.map(({ value }) => value))).toEqual(
      new Set(order.names),
    );
  }

  /** What is over stays over. */
  async look(): Promise<void> {
    const { acme, account } = this.#world;
    for (const { id } of this.orders) {
      const { status, order } = await acme.orders.get(account.id, id);
      expect(order.certificate !== undefined).toBe(status === 'valid');
      const final = this.#final.get(id);
      if (final) expect(status).toBe(final);
      else if (status === 'valid' || status === 'invalid') this.#final.set(id, status);
    }
  }
}

test('whatever a client does, only what is proven is certified, and what is over stays over', async () => {
  let certificates = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      const of = await world();
      const run = new Run(of);
      await run.take({ do: 'order', names: ['a.example'] });
      for (const one of steps) {
        await run.take(one);
        await run.look();
      }
      certificates += run.certificates;
      await of.acme.close();
    }),
    { numRuns: 100 },
  );
  // That it was put to the test.
  expect(certificates).toBeGreaterThan(0);
});

test('a request that is refused leaves the order ready; a node that dies while it signs does so after a minute', async () => {
  const { acme, account, clock, texts, authority } = await world();
  const directory = (await acme.directory(directoryName))!;
  const { order } = await acme.orders.create(account, directory, {
    identifiers: [{ type: 'dns', value: 'a.example' }],
  });
  const [id] = order.authorizationIds;
  const [, dns] = (await acme.orders.authorization(account.id, id!)).challenges;
  texts.set('_acme-challenge.a.example', [
    keyAuthorizationDigest(dns!, accountKey.thumbprint).toString('base64url'),
  ]);
  await acme.orders.challenge(account.id, id!, 'dns-01');
  await clock.advance(1_000);
  const status = async () => (await acme.orders.get(account.id, order.id)).status;
  const finalize = async (wanted: string) =>
    acme.orders.finalize(account, directory, order.id, { csr: await csr([wanted]) });
  await expect(finalize('b.example')).rejects.toMatchObject({ type: 'badCSR' });
  expect(await status()).toBe('ready');
  const sign = authority.leaves.sign.bind(authority.leaves);
  authority.leaves.sign = () => Promise.reject(new Error('the power is gone'));
  await expect(finalize('a.example')).rejects.toThrow('the power is gone');
  authority.leaves.sign = sign;
  expect(await status()).toBe('processing');
  await expect(finalize('a.example')).rejects.toMatchObject({ type: 'orderNotReady' });
  await clock.advance(60_000);
  expect(await status()).toBe('ready');
  expect((await finalize('a.example')).status).toBe('valid');
  await acme.close();
});
