import type { Cancel } from '../../base/clock.ts';
import { secondMs } from '../../base/duration.ts';
import { uuid } from '../../base/entropy.ts';
import { describeError, Fault } from '../../base/fault.ts';
import { type Following, following } from '../../store/following.ts';
import type { Store } from '../../store/store.ts';
import type { Core, Reply } from '../core.ts';
import { invalidRequest } from '../faults.ts';
import type { OpenVault } from '../open-vault.ts';
import type { VaultRequest } from '../routing/route.ts';
import { storeSnapshots, sumSeal } from '../snapshot/snapshots.ts';
import type { SealState } from '../sys/status.ts';
import type { SealControl } from '../sys/sys-context.ts';
import { checkRecoveryKey } from './auto-seal.ts';
import { type Barrier, openBarrier, readSealConfig, type SealConfig, sealPrefix } from './barrier.ts';
import type { Ceremonies } from './ceremonies.ts';
import { type Initialised, initialise, type SealWorld } from './initialise.ts';
import { KeyRotation } from './key-rotation.ts';
import { checkShareLength, GatheredShares } from './key-shares.ts';
import { refreshLock } from './refresh-lock.ts';
import { keyLock, type RootLock } from './root-lock.ts';
import { migrateSeal, migrationOf } from './seal-migration.ts';
import { type ShareCount, shareCountProblem } from './share-count.ts';
import { Unsealed } from './unsealed.ts';

export interface SealedVaultOptions extends SealWorld {
  /** Opens the server on the store behind the barrier. */
  open(store: Store, seal: SealControl, following: Following): Promise<OpenVault>;
}

/** How long a server that unseals by itself waits where it could not. */
const retryMs = 5 * secondMs;

/**
 * A server's life between sealed and unsealed. Sealed, it holds no key: requests are refused, and shares of the unseal
 * key are gathered until there are enough to try them. Sealing lets requests under way finish, then forgets the keys.
 */
export class SealedVault implements Core {
  readonly #options: SealedVaultOptions;
  readonly #given = new GatheredShares();
  #config: SealConfig | undefined;
  #nonce = '';
  #open: Unsealed | undefined;
  #cancelRetry: Cancel = () => {};
  #closed = false;
  /** Initialising and unsealing happen one at a time, and after all that was under way when it was sealed. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: SealedVaultOptions, config: SealConfig | undefined) {
    this.#options = options;
    this.#config = config;
  }

  /** @throws Fault `vault.seal.foreign` for a store that is neither empty nor a sealed server's, `vault.seal.type` */
  static async on(options: SealedVaultOptions): Promise<SealedVault> {
    const config = await readSealConfig(options.store);
    if (config && migrationOf(config, options)) {
      options.log.warn('the seal is to be migrated: unseal with -migrate', { from: config.type });
    }
    return new SealedVault(options, config);
  }

  /** As it is now: while it is sealed, another node may initialise it or change its shares. */
  async currentState(): Promise<SealState> {
    if (!this.#open) await this.#look().catch(unlessUnavailable);
    return this.state();
  }

  async #look(): Promise<void> {
    const known = this.#config !== undefined;
    this.#config = await readSealConfig(this.#options.store);
    if (!known && this.#config) void this.unsealByItself();
  }

  state(): SealState {
    return {
      type: this.#options.autoSeal?.type ?? 'shamir',
      recovery: this.#options.autoSeal !== undefined,
      initialized: this.#config !== undefined,
      migrating: this.#config !== undefined && migrationOf(this.#config, this.#options) !== undefined,
      sealed: this.#open === undefined,
      shares: this.#config?.shares ?? 0,
      threshold: this.#config?.threshold ?? 0,
      progress: this.#given.count,
      nonce: this.#nonce,
      cluster: this.#open?.vault.cluster,
    };
  }

  async handle(request: VaultRequest): Promise<Reply> {
    const open = this.#open;
    if (open) return open.handle(request);
    // What only makes it do less needs nobody's leave where it does nothing.
    if (['sys/seal', 'sys/step-down'].includes(request.path) && request.operation === 'update') {
      return { answer: undefined, dataAtTop: false, mountType: 'system' };
    }
    throw sealedFault();
  }

  /** @throws Fault `vault.request.invalid` for numbers that make no sense, and where it is initialised */
  initialise(count: ShareCount): Promise<Initialised> {
    return this.#inTurn(async () => {
      await this.#look();
      if (this.#config) throw invalidRequest('Vault is already initialized');
      const { autoSeal, log } = this.#options;
      const problem = shareCountProblem(count);
      const what = autoSeal ? 'recovery' : 'seal';
      if (problem) throw invalidRequest(`invalid ${what} configuration: ${problem}`);
      const config = { type: autoSeal?.type ?? 'shamir', ...count };
      const initialised = await initialise(this.#options, config).catch(alreadyInitialised);
      this.#config = config;
      log.info('vault is initialised', { ...config });
      if (autoSeal) await this.#unseal(autoSeal);
      return initialised;
    });
  }

  /**
   * Takes one share; the last one that was wanted unseals. One that came before counts once. Shares that do not fit
   * are all dropped. `migrate` must say so where it is another kind of seal that they are of.
   *
   * @throws Fault `vault.request.invalid`, `vault.seal.*`
   */
  offer(share: Buffer, migrate = false): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#open) return;
      await this.#look();
      const config = this.#config;
      checkShareLength(share, 'invalid key: ');
      if (!config) throw invalidRequest('Vault is not initialized');
      const pending = migrationOf(config, this.#options) !== undefined;
      if (migrate && !pending) {
        throw invalidRequest("can't perform a seal migration, no migration seal found");
      }
      if (!migrate && pending) {
        throw invalidRequest('migrate option not provided and seal migration is pending');
      }
      if (!this.#given.take(share)) return;
      if (this.#given.count === 1) this.#nonce = uuid(this.#options.entropy);
      if (this.#given.count >= config.threshold) await this.#unsealBy(this.#combined(), config);
    });
  }

  /** Drops the shares that were gathered. @throws Fault `vault.request.invalid` where it is unsealed */
  reset(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#open) throw invalidRequest('vault is unsealed');
      this.#dropShares();
    });
  }

  /** Does what the holders of shares do together; one of them at a time. @throws Fault `vault.sealed` */
  async ceremony<T>(work: (ceremonies: Ceremonies) => T | Promise<T>): Promise<T> {
    // Sealing waits for requests under way: one of them must not wait for the sealing.
    if (!this.#open) throw sealedFault();
    return this.#inTurn(async () => {
      if (!this.#open) throw sealedFault();
      return work(this.#open.ceremonies);
    });
  }

  /** Unseals without anyone's help, and keeps trying: for a server that starts again. Never rejects. */
  unsealByItself(): Promise<void> {
    const { autoSeal, clock, log } = this.#options;
    return this.#inTurn(async () => {
      if (!autoSeal || !this.#config || this.#open || this.#closed) return;
      if (migrationOf(this.#config, this.#options)) return;
      try {
        await this.#unseal(autoSeal);
      } catch (error) {
        log.error('vault cannot unseal by itself', {
          seal: autoSeal.type,
          error: describeError(error),
          retryInMs: retryMs,
        });
        if (!this.#closed) this.#cancelRetry = clock.after(retryMs, () => void this.unsealByItself());
      }
    });
  }

  /** See `OpenVault`; a sealed server has none open. */
  async reopenLogs(): Promise<void> {
    await this.#open?.vault.reopenLogs();
  }

  /** From now on requests are refused; resolves once the keys are gone. */
  async seal(): Promise<void> {
    this.#cancelRetry();
    const open = this.#open;
    this.#open = undefined;
    this.#dropShares();
    if (!open) return;
    await this.#inTurn(() => open.close());
    this.#options.log.info('vault is sealed');
  }

  /** Seals it for good. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.seal();
    // What was under way may have unsealed it meanwhile.
    await this.#turn;
    await this.seal();
    this.#options.autoSeal?.close();
    this.#options.formerSeal?.close();
  }

  async #unsealBy(key: Buffer, config: SealConfig): Promise<void> {
    const { store, autoSeal, entropy, log } = this.#options;
    try {
      const migration = migrationOf(config, this.#options);
      if (migration) {
        this.#config = await migrateSeal(store, migration, { key, config, entropy });
        log.info('the seal was migrated', { from: config.type, to: this.#config.type });
      } else if (autoSeal) await checkRecoveryKey(store, autoSeal, key);
      await this.#unseal(autoSeal ?? keyLock(key, entropy));
    } finally {
      key.fill(0);
    }
  }

  async #unseal(lock: RootLock): Promise<void> {
    const { store, clock, entropy, log, autoSeal } = this.#options;
    const barrier = await openBarrier(store, lock, entropy);
    try {
      if (autoSeal) await refreshLock({ store, barrier, autoSeal, log });
      const rotation = new KeyRotation(barrier, { clock, log });
      const follow = await following(store);
      follow.follow([sealPrefix], () => this.#followSeal(barrier));
      // What was changed before that is not told as a change.
      await barrier.reload();
      const vault = await this.#options.open(barrier.store, this.#control(barrier, rotation, follow), follow);
      await rotation.start();
      this.#open = new Unsealed({
        vault,
        barrier,
        rotation,
        ...{ store, autoSeal, entropy, log },
        config: () => this.#config!,
        onConfig: (config) => {
          this.#config = config;
        },
      });
      this.#cancelRetry();
      log.info('vault is unsealed');
    } catch (error) {
      barrier.forget();
      throw error;
    }
  }

  /** Takes up what another node has changed of the seal; seals where the keys here do not open it any more. */
  async #followSeal(barrier: Barrier): Promise<void> {
    try {
      this.#config = await readSealConfig(this.#options.store);
      await barrier.reload();
    } catch (error) {
      if (!(error instanceof Fault) || error.code === 'store.unavailable') throw error;
      this.#options.log.error('the seal was changed, and the keys here do not open it: sealing', {
        error: describeError(error),
      });
      // It waits for requests under way, of which this is one.
      void this.seal();
      throw sealedFault();
    }
  }

  #control(barrier: Barrier, rotation: KeyRotation, follow: Following): SealControl {
    const { store, clock, log } = this.#options;
    return {
      seal: () => void this.seal(),
      rotation,
      ceremony: (work) => this.ceremony(work),
      snapshots: storeSnapshots({ store, seal: sumSeal(barrier), following: follow, clock, log }),
    };
  }

  #combined(): Buffer {
    try {
      return this.#given.combine();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      throw invalidRequest(`invalid key: failed to compute combined key: ${error.message}`, error);
    } finally {
      this.#nonce = '';
    }
  }

  #dropShares(): void {
    this.#given.drop();
    this.#nonce = '';
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }
}

function unlessUnavailable(error: unknown): void {
  if (!(error instanceof Fault && error.code === 'store.unavailable')) throw error;
}

/** Of two nodes that initialise the same store one is refused. */
function alreadyInitialised(error: unknown): never {
  if (!(error instanceof Fault && error.code === 'store.conflict')) throw error;
  throw invalidRequest('Vault is already initialized', error);
}

function sealedFault(): Fault {
  return new Fault('Vault is sealed', { code: 'vault.sealed', blame: 'caller' });
}
