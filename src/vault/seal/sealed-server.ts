import type { Server } from 'node:http';
import { Server as TlsServer } from 'node:tls';
import { describeError } from '../../base/fault.ts';
import type { Log } from '../../base/log.ts';
import type { Metrics } from '../../base/metrics.ts';
import type { Dialer } from '../../wire/dialer.ts';
import {
  formatAddress,
  type ListenAddress,
  type Listening,
  listen,
  type UnixAddress,
} from '../../wire/http-server.ts';
import type { OpenSink } from '../audit/sink.ts';
import type { ChallengeAnswers } from '../http/challenge-answers.ts';
import {
  type ListenerOptions,
  type RequestLimits,
  type TlsMaterial,
  tlsOptions,
  vaultListener,
} from '../http/vault-listener.ts';
import type { KmsLibraries } from '../managed-keys/managed-keys.ts';
import { openVault } from '../open-vault.ts';
import type { Diagnostics } from '../sys/diagnostics.ts';
import { statusPaths } from '../sys/status.ts';
import type { SealWorld } from './initialise.ts';
import { sealHealthPath, sealPaths } from './seal-paths.ts';
import { watchSeal } from './seal-watch.ts';
import { SealedVault } from './sealed-vault.ts';

/** One place where a server listens. */
export interface ListenerSettings {
  at: ListenAddress | UnixAddress;
  /** Reads what it speaks TLS with, anew where that was replaced; plain HTTP where absent. */
  tls?: (() => TlsMaterial) | undefined;
  limits?: RequestLimits | undefined;
}

export interface SealedServerOptions extends SealWorld {
  /** At least one. */
  listeners: readonly ListenerSettings[];
  openSink: OpenSink;
  /** See `VaultOptions`; kept from one unsealing to the next. */
  metrics?: Metrics;
  diagnostics?: Diagnostics;
  /** How ACME's challenges are tried. */
  dialer: Dialer;
  /** See `VaultOptions`. */
  kmsLibraries?: KmsLibraries;
  /** What its listeners answer a CA with that is to certify them. */
  challenges?: ChallengeAnswers;
}

export interface SealedServer {
  /** Where it listens, in the order of its settings. */
  addresses: readonly (ListenAddress | UnixAddress)[];
  /** Opens the logs of audit devices anew, where they were moved away. */
  reopenLogs(): Promise<void>;
  /** Reads certificates anew, of one listener or of all; one whose files make no sense keeps what it has. */
  reloadCertificates(index?: number): void;
  close(): Promise<void>;
}

/**
 * Starts a server as Vault starts outside of dev mode: sealed, and to be initialised where its store is empty. The
 * store is the bare one; what goes into it is encrypted here.
 *
 * @throws Fault `vault.seal.foreign`, `vault.seal.type`, `wire.listen.*`, `store.*`
 */
export async function startSealedVault(options: SealedServerOptions): Promise<SealedServer> {
  const { store, clock, entropy, log, openSink, dialer, autoSeal, formerSeal } = options;
  const { metrics, diagnostics, kmsLibraries, challenges } = options;
  const given = {
    ...(metrics ? { metrics } : {}),
    ...(diagnostics ? { diagnostics } : {}),
    ...(kmsLibraries ? { kmsLibraries } : {}),
  };
  const vault = await SealedVault.on({
    store,
    clock,
    entropy,
    log,
    autoSeal,
    formerSeal,
    open: (behind, seal, following) =>
      openVault({ store: behind, clock, entropy, log, openSink, dialer, seal, following, ...given }),
  });
  const watch = autoSeal && watchSeal(autoSeal, { clock, entropy, log });
  const status = {
    ...statusPaths(() => vault.currentState(), clock),
    ...sealPaths(vault),
    ...sealHealthPath(autoSeal?.type ?? 'shamir', watch),
  };
  const opened: Opened[] = [];
  const close = async () => {
    await Promise.all(opened.map(({ listening }) => listening.close()));
    await vault.close();
  };
  try {
    for (const settings of options.listeners) {
      opened.push(await openListener(settings, { core: vault, status, entropy, log, challenges }));
    }
  } catch (error) {
    await close();
    throw error;
  }
  await vault.unsealByItself();
  return {
    addresses: opened.map(({ listening }) => listening.address),
    reopenLogs: () => vault.reopenLogs(),
    reloadCertificates(index) {
      const wanted = index === undefined ? opened : opened.slice(index, index + 1);
      for (const listener of wanted) reloadCertificate(listener, log);
    },
    async close() {
      watch?.stop();
      await close();
    },
  };
}

interface Opened {
  settings: ListenerSettings;
  server: Server;
  listening: Listening<ListenAddress | UnixAddress>;
}

async function openListener(
  settings: ListenerSettings,
  options: Omit<ListenerOptions, 'tls' | 'limits'>,
): Promise<Opened> {
  const server = vaultListener({ ...options, tls: settings.tls?.(), limits: settings.limits });
  const listening = await listen(server, settings.at);
  options.log.info('vault listens', { ...listening.address });
  return { settings, server, listening };
}

function reloadCertificate({ settings, server, listening }: Opened, log: Log): void {
  if (!settings.tls || !(server instanceof TlsServer)) return;
  const where = formatAddress(listening.address);
  try {
    server.setSecureContext(tlsOptions(settings.tls()));
    log.info('the certificate was read anew', { address: where });
  } catch (error) {
    log.error('the certificate was not replaced', { address: where, error: describeError(error) });
  }
}
