import type { Entropy } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import type { Log } from '../../base/log.ts';
import type { Store } from '../../store/store.ts';
import { failed, invalidRequest } from '../faults.ts';
import { type AutoSeal, checkRecoveryKey, recoveryKeyPut } from './auto-seal.ts';
import { type Barrier, type SealConfig, sealConfigPut, tryLock } from './barrier.ts';
import { Rekey } from './rekey.ts';
import { RootGeneration } from './root-generation.ts';
import { keyLock } from './root-lock.ts';

/** What enough holders of shares can do together to an open server. */
export interface Ceremonies {
  /** New shares of the unseal key; a new root key alone where the server unseals by itself. */
  barrier: Rekey;
  /** New shares of the recovery key. */
  recovery: Rekey;
  /** False where there is no recovery key. */
  hasRecovery: boolean;
  rootToken: RootGeneration;
}

export interface CeremoniesOptions {
  store: Store;
  barrier: Barrier;
  autoSeal: AutoSeal | undefined;
  entropy: Entropy;
  log: Log;
  config: () => SealConfig;
  onConfig: (config: SealConfig) => void;
  issueRoot: (id: string) => Promise<void>;
}

export function openCeremonies(options: CeremoniesOptions): Ceremonies {
  const { store, barrier, autoSeal, entropy, log, config } = options;
  const required = () => config().threshold;
  const world = { entropy, log };
  return {
    hasRecovery: autoSeal !== undefined,
    barrier: new Rekey(
      {
        name: 'barrier',
        required,
        check: (key) =>
          autoSeal ? checkRecoveryKey(store, autoSeal, key) : checkUnsealKey(store, key, entropy),
        async replace(key, count) {
          const next = { ...config(), ...count };
          await barrier.rekey(keyLock(key, entropy), { puts: [sealConfigPut(next)] });
          options.onConfig(next);
        },
        ...(autoSeal ? { renew: () => barrier.rekey(autoSeal) } : {}),
      },
      world,
    ),
    recovery: new Rekey(
      {
        name: 'recovery',
        required,
        check: (key) => checkRecoveryKey(store, recoverable(autoSeal), key),
        async replace(key, count) {
          const next = { ...config(), ...count };
          const put = await recoveryKeyPut(recoverable(autoSeal), key);
          await store.commit({ puts: [put, sealConfigPut(next)] });
          options.onConfig(next);
        },
      },
      world,
    ),
    rootToken: new RootGeneration({
      required,
      check: (key) =>
        autoSeal ? checkRecoveryKey(store, autoSeal, key) : tryLock(store, keyLock(key, entropy)),
      issue: options.issueRoot,
      ...world,
    }),
  };
}

/** A wrong key is no client's mistake to Vault here: status 500. */
async function checkUnsealKey(store: Store, key: Buffer, entropy: Entropy): Promise<void> {
  try {
    await tryLock(store, keyLock(key, entropy));
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'vault.seal.key') throw error;
    const why = error.message.replace('unable to retrieve stored keys: ', '');
    throw failed(`failed to read root key: ${why}`, error);
  }
}

function recoverable(autoSeal: AutoSeal | undefined): AutoSeal {
  if (autoSeal) return autoSeal;
  throw invalidRequest('recovery rekeying not supported');
}
