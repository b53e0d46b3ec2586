import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import type { Following } from '../../store/following.ts';
import type { Store } from '../../store/store.ts';
import { invalidRequest } from '../faults.ts';
import type { VaultRequest } from '../routing/route.ts';
import { checkRateLimit, limitFor, RateCounter, type RateLimit, type Verdict } from './rate-limit.ts';

const limitPrefix = 'quota/rate-limit/';
const configKey = 'quota/config';

export interface QuotaConfig {
  /** Paths that no limit applies to; one may end in `*`. */
  exemptPaths: readonly string[];
  /** Whether refusals go to the audit devices. */
  auditRefusals: boolean;
  /** Whether answers tell how much is left. */
  tellLimits: boolean;
}

/** What holders of keys need when all else is refused. */
export const quotaDefaults: QuotaConfig = {
  exemptPaths: [
    'sys/generate-root/attempt',
    'sys/generate-root/update',
    'sys/health',
    'sys/seal-status',
    'sys/unseal',
  ],
  auditRefusals: false,
  tellLimits: false,
};

/** Rate limits: kept in the store, counted by each node for itself. */
export interface Quotas {
  config(): QuotaConfig;
  setConfig(change: Partial<QuotaConfig>): Promise<void>;
  limits(): RateLimit[];
  /** Puts a limit in the place of the one of its name. @throws Fault `vault.request.invalid` */
  put(limit: RateLimit): Promise<void>;
  delete(name: string): Promise<void>;
  /** Counts a request; undefined where no limit applies to it. */
  take(request: VaultRequest): Verdict | undefined;
}

export interface QuotasOptions {
  store: Store;
  following: Following;
  clock: Clock;
  /** The path of the mount that a path lies below. */
  mountOf: (path: string) => string | undefined;
}

export async function openQuotas(options: QuotasOptions): Promise<Quotas> {
  const quotas = new StoredQuotas(options);
  options.following.follow([limitPrefix, configKey], () => quotas.load());
  await quotas.load();
  return quotas;
}

class StoredQuotas implements Quotas {
  readonly #options: QuotasOptions;
  #counters: ReadonlyMap<string, RateCounter> = new Map();
  #config = quotaDefaults;

  constructor(options: QuotasOptions) {
    this.#options = options;
  }

  async load(): Promise<void> {
    const { store } = this.#options;
    const [entries, config] = await Promise.all([store.list({ prefix: limitPrefix }), store.get(configKey)]);
    this.#config = { ...quotaDefaults, ...(config && (JSON.parse(config.value.toString()) as QuotaConfig)) };
    this.#counters = new Map(
      entries.map(({ value }) => {
        const limit = JSON.parse(value.toString()) as RateLimit;
        const before = this.#counters.get(limit.name);
        const same = before && JSON.stringify(before.limit) === JSON.stringify(limit);
        return [limit.name, same ? before : new RateCounter(limit)];
      }),
    );
  }

  config(): QuotaConfig {
    return this.#config;
  }

  async setConfig(change: Partial<QuotaConfig>): Promise<void> {
    const value = Buffer.from(JSON.stringify({ ...this.#config, ...change }));
    await this.#options.store.commit({ puts: [{ key: configKey, value }] });
    await this.load();
  }

  limits(): RateLimit[] {
    return [...this.#counters.values()].map(({ limit }) => limit);
  }

  async put(asked: RateLimit): Promise<void> {
    const limit = checkRateLimit({ ...asked, path: this.#placed(asked.path) });
    const { store } = this.#options;
    const twin = this.limits().find(({ name, path }) => name !== limit.name && path === limit.path);
    if (twin)
      throw invalidRequest(
        `quota rule with similar properties exists under the name ${JSON.stringify(twin.name)}`,
      );
    const value = Buffer.from(JSON.stringify(limit));
    await store.commit({ puts: [{ key: limitPrefix + limit.name, value }] });
    await this.load();
  }

  async delete(name: string): Promise<void> {
    await this.#options.store.commit({ deletes: [limitPrefix + name] });
    await this.load();
  }

  /** A mount may be named without its slash. */
  #placed(path: string): string {
    const { mountOf } = this.#options;
    if (path === '' || mountOf(path) !== undefined) return path;
    if (mountOf(`${path}/`) === `${path}/`) return `${path}/`;
    throw invalidRequest(`invalid mount path ${JSON.stringify(path)}`);
  }

  take({ path, origin }: VaultRequest): Verdict | undefined {
    if (this.#counters.size === 0 || this.#config.exemptPaths.some((exempt) => covers(exempt, path)))
      return undefined;
    const { clock, mountOf } = this.#options;
    const limit = limitFor(this.limits(), path, mountOf(path));
    return limit && this.#counters.get(limit.name)!.take(origin.remoteAddress, clock.now());
  }
}

function covers(exempt: string, path: string): boolean {
  return exempt.endsWith('*') ? path.startsWith(exempt.slice(0, -1)) : path === exempt;
}

/** A request that came too soon: status 429, with the headers that say when to come again. */
export class Throttled extends Fault {
  readonly headers: Readonly<Record<string, string>>;

  constructor(path: string, headers: Readonly<Record<string, string>>) {
    super(`request path ${JSON.stringify(path)}: rate limit quota exceeded`, {
      code: 'vault.quota',
      blame: 'caller',
    });
    this.headers = headers;
  }
}
