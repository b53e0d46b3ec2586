import { type ListenAddress, listen } from '../wire/http-server.ts';
import { vaultListener } from './http/vault-listener.ts';
import { openVault, type VaultWorld } from './open-vault.ts';
import { neverSealed, statusPaths } from './sys/status.ts';

export interface VaultOptions extends VaultWorld {
  listen: ListenAddress;
  /** Start initialised and unsealed, with this as a root token: Vault's dev mode. */
  dev?: { rootToken: string };
}

export interface VaultServer {
  address: ListenAddress;
  /** Opens the logs of audit devices anew, where they were moved away. */
  reopenLogs(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts a server that speaks Vault's API over plain HTTP. On a store that has been one's before it goes on where
 * that ended: mounts, policies, tokens, issuers, certificates.
 *
 * @throws Fault `vault.uninitialised`, `wire.listen.*`, `store.*`
 */
export async function startVault(options: VaultOptions): Promise<VaultServer> {
  const { clock, entropy, log } = options;
  const vault = await openVault(options);
  const status = statusPaths(() => neverSealed(vault.cluster), clock);
  const listening = await listen(vaultListener({ core: vault.core, status, entropy, log }), options.listen);
  log.info('vault listens', { ...listening.address });
  return {
    address: listening.address,
    reopenLogs: () => vault.reopenLogs(),
    async close() {
      await listening.close();
      vault.close();
    },
  };
}
