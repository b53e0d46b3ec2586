import { timingSafeEqual } from 'node:crypto';
import { uuid } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import type { Store } from '../../store/store.ts';
import type { Core, Reply } from '../core.ts';
import { invalidRequest } from '../faults.ts';
import type { VaultRequest } from '../routing/route.ts';
import type { OpenVault } from '../server.ts';
import type { SealState } from '../sys/status.ts';
import type { SealControl } from '../sys/sys-context.ts';
import { type Barrier, openBarrier, readSealConfig, type SealConfig } from './barrier.ts';
import { checkSealConfig, type Initialised, initialise, type SealWorld } from './initialise.ts';
import { combineShares } from './shamir.ts';

export interface SealedVaultOptions extends SealWorld {
  /** Opens the server on the store behind the barrier. */
  open(store: Store, seal: SealControl): Promise<OpenVault>;
}

/** AES-128's key is the shortest that Vault takes for one; the longest is AES-256's as a share. */
const shortestKeyBytes = 16;
const longestKeyBytes = 33;

/**
 * A server's life between sealed and unsealed. Sealed, it holds no key: requests are refused, and shares of the unseal
 * key are gathered until there are enough to try them. Sealing lets requests under way finish, then forgets the keys.
 */
export class SealedVault implements Core {
  readonly #options: SealedVaultOptions;
  #config: SealConfig | undefined;
  #shares: Buffer[] = [];
  #nonce = '';
  #open: Unsealed | undefined;
  /** Initialising and unsealing happen one at a time, and after all that was under way when it was sealed. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: SealedVaultOptions, config: SealConfig | undefined) {
    this.#options = options;
    this.#config = config;
  }

  /** @throws Fault `vault.seal.foreign` for a store that is neither empty nor a sealed server's */
  static async on(options: SealedVaultOptions): Promise<SealedVault> {
    return new SealedVault(options, await readSealConfig(options.store));
  }

  state(): SealState {
    return {
      initialized: this.#config !== undefined,
      sealed: this.#open === undefined,
      shares: this.#config?.shares ?? 0,
      threshold: this.#config?.threshold ?? 0,
      progress: this.#shares.length,
      nonce: this.#nonce,
      cluster: this.#open?.vault.cluster,
    };
  }

  async handle(request: VaultRequest): Promise<Reply> {
    const open = this.#open;
    if (open) return open.handle(request);
    // Sealing what is sealed needs nobody's leave, and does nothing.
    if (request.path === 'sys/seal' && request.operation === 'update') {
      return { answer: undefined, dataAtTop: false, mountType: 'system' };
    }
    throw new Fault('Vault is sealed', { code: 'vault.sealed', blame: 'caller' });
  }

  /** @throws Fault `vault.request.invalid` for numbers that make no sense, and where it is initialised */
  initialise(config: SealConfig): Promise<Initialised> {
    checkSealConfig(config);
    return this.#inTurn(async () => {
      if (this.#config) throw invalidRequest('Vault is already initialized');
      const initialised = await initialise(this.#options, config);
      this.#config = config;
      this.#options.log.info('vault is initialised', { ...config });
      return initialised;
    });
  }

  /**
   * Takes one share; the last one that was wanted unseals. One that came before counts once. Shares that do not fit
   * are all dropped.
   *
   * @throws Fault `vault.request.invalid`, `vault.seal.key`
   */
  offer(share: Buffer): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#open) return;
      const config = this.#config;
      checkLength(share);
      if (!config) throw invalidRequest('Vault is not initialized');
      if (this.#shares.some((held) => held.length === share.length && timingSafeEqual(held, share))) {
        share.fill(0);
        return;
      }
      if (this.#shares.length === 0) this.#nonce = uuid(this.#options.entropy);
      this.#shares.push(share);
      if (this.#shares.length >= config.threshold) await this.#unseal(config);
    });
  }

  /** Drops the shares that were gathered. @throws Fault `vault.request.invalid` where it is unsealed */
  reset(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#open) throw invalidRequest('vault is unsealed');
      this.#dropShares();
    });
  }

  /** See `OpenVault`; a sealed server has none open. */
  async reopenLogs(): Promise<void> {
    await this.#open?.vault.reopenLogs();
  }

  /** From now on requests are refused; resolves once the keys are gone. */
  async seal(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    this.#dropShares();
    if (!open) return;
    const closed = open.close();
    this.#turn = this.#turn.then(() => closed);
    await closed;
    this.#options.log.info('vault is sealed');
  }

  async #unseal(config: SealConfig): Promise<void> {
    const { store, clock, entropy, log } = this.#options;
    const unsealKey = config.threshold === 1 ? Buffer.from(this.#shares[0]!) : this.#combined();
    this.#dropShares();
    const barrier = await openBarrier(store, unsealKey, entropy).finally(() => unsealKey.fill(0));
    try {
      const vault = await this.#options.open(barrier.store, {
        seal: () => void this.seal(),
        keyStatus: () => barrier.status(),
        rotate: () => barrier.rotate(clock.now()),
      });
      this.#open = new Unsealed(vault, barrier);
      log.info('vault is unsealed');
    } catch (error) {
      barrier.forget();
      throw error;
    }
  }

  #combined(): Buffer {
    try {
      return combineShares(this.#shares);
    } catch (error) {
      this.#dropShares();
      if (!(error instanceof Fault)) throw error;
      throw invalidRequest(`invalid key: failed to compute combined key: ${error.message}`, error);
    }
  }

  #dropShares(): void {
    for (const share of this.#shares) share.fill(0);
    this.#shares = [];
    this.#nonce = '';
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }
}

/** An open server that knows when nobody uses it any more. */
class Unsealed {
  readonly vault: OpenVault;
  readonly #barrier: Barrier;
  #underWay = 0;
  #idle: (() => void) | undefined;

  constructor(vault: OpenVault, barrier: Barrier) {
    this.vault = vault;
    this.#barrier = barrier;
  }

  async handle(request: VaultRequest): Promise<Reply> {
    this.#underWay += 1;
    try {
      return await this.vault.core.handle(request);
    } finally {
      this.#underWay -= 1;
      if (this.#underWay === 0) this.#idle?.();
    }
  }

  /** Resolves once requests under way are answered and the keys forgotten. */
  async close(): Promise<void> {
    this.vault.close();
    if (this.#underWay > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#idle = resolve;
      await promise;
    }
    this.#barrier.forget();
  }
}

function checkLength({ length }: Buffer): void {
  if (length < shortestKeyBytes) {
    throw invalidRequest(`invalid key: key is shorter than minimum ${shortestKeyBytes} bytes`);
  }
  if (length > longestKeyBytes) {
    throw invalidRequest(`invalid key: key is longer than maximum ${longestKeyBytes} bytes`);
  }
}
