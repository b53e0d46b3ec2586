import type { Dialer } from '../../wire/dialer.ts';
import { type ListenAddress, listen } from '../../wire/http-server.ts';
import type { OpenSink } from '../audit/sink.ts';
import { vaultListener } from '../http/vault-listener.ts';
import { openVault, type VaultServer } from '../server.ts';
import { statusPaths } from '../sys/status.ts';
import type { SealWorld } from './initialise.ts';
import { sealPaths } from './seal-paths.ts';
import { watchSeal } from './seal-watch.ts';
import { SealedVault } from './sealed-vault.ts';

export interface SealedServerOptions extends SealWorld {
  listen: ListenAddress;
  openSink: OpenSink;
  /** How ACME's challenges are tried. */
  dialer: Dialer;
  /** PEM of the server's certificate and key; plain HTTP where absent. */
  tls?: { cert: string; key: string };
}

/**
 * Starts a server as Vault starts outside of dev mode: sealed, and to be initialised where its store is empty. The
 * store is the bare one; what goes into it is encrypted here.
 *
 * @throws Fault `vault.seal.foreign`, `vault.seal.type`, `wire.listen.*`, `store.*`
 */
export async function startSealedVault(options: SealedServerOptions): Promise<VaultServer> {
  const { store, clock, entropy, log, openSink, dialer, tls, autoSeal } = options;
  const vault = await SealedVault.on({
    store,
    clock,
    entropy,
    log,
    autoSeal,
    open: (behind, seal, following) =>
      openVault({ store: behind, clock, entropy, log, openSink, dialer, seal, following }),
  });
  const status = { ...statusPaths(() => vault.currentState(), clock), ...sealPaths(vault) };
  const listener = vaultListener({ core: vault, status, entropy, log, ...(tls ? { tls } : {}) });
  const listening = await listen(listener, options.listen);
  log.info('vault listens', { ...listening.address });
  await vault.unsealByItself();
  const unwatch = autoSeal ? watchSeal(autoSeal, { clock, entropy, log }) : () => {};
  return {
    address: listening.address,
    reopenLogs: () => vault.reopenLogs(),
    async close() {
      unwatch();
      await listening.close();
      await vault.close();
    },
  };
}
