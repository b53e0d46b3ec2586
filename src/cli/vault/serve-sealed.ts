import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { aborted } from '../../base/abort.ts';
import type { Clock } from '../../base/clock.ts';
import { formatDuration } from '../../base/duration.ts';
import type { TlsMaterial } from '../../vault/http/vault-listener.ts';
import type { SealedServer } from '../../vault/seal/sealed-server.ts';
import { systemDialer } from '../../wire/dialer.ts';
import { formatAddress } from '../../wire/http-server.ts';
import type { CommandContext } from '../command.ts';
import { version } from '../version.ts';
import { acmeListeners } from './acme-listeners.ts';
import { sinks } from './audit-sinks.ts';
import { configFault, unreadable } from './config-blocks.ts';
import { processMetrics, systemDiagnostics } from './diagnostics.ts';
import { openKmsLibraries } from './kms-libraries.ts';
import type { TlsConfig } from './listener-config.ts';
import { pkcs11Libraries } from './pkcs11-libraries.ts';
import { openSeal } from './seal-config.ts';
import { readServerConfig, type ServerConfig } from './server-config.ts';
import { serverLog } from './server-log.ts';
import { describeStorage, openStorage } from './storage.ts';

/** Serves as the file at `path` says: sealed until enough shares of its key are given, or its seal is reached. */
export async function serveSealed(
  path: string,
  { clock, logLevel }: { clock: Clock; logLevel: string },
  context: CommandContext,
): Promise<number> {
  const { cwd, env, entropy } = context;
  const config = readServerConfig(readText(resolve(cwd, path), 'the configuration'), env);
  const level = logLevel || (config.logLevel ?? '');
  const written = serverLog({ clock, level, format: config.logFormat, file: config.logFile }, context);
  const { log } = written;
  const { startSealedVault } = await import('../../vault/seal/sealed-server.ts');
  const store = await openStorage(config.storage, cwd);
  try {
    const libraries = pkcs11Libraries(cwd);
    const at = { folder: cwd, env, clock, entropy, log, libraries };
    const autoSeal = config.seal && (await openSeal(config.seal, at));
    const formerSeal = config.formerSeal && (await openSeal(config.formerSeal, at));
    const acme = await acmeListeners(config.listeners, { folder: cwd, clock, entropy, log });
    const listeners = config.listeners.map(({ at, tls, limits }, index) => ({
      at: 'path' in at ? { ...at, path: resolve(cwd, at.path) } : at,
      tls: tls && (() => ({ ...(acme.material(index) ?? fileMaterial(tls, cwd)), ...tlsTerms(tls, cwd) })),
      limits,
    }));
    const server = await startSealedVault({
      ...{ store, autoSeal, formerSeal, clock, entropy, log, listeners },
      openSink: sinks(context),
      metrics: processMetrics(),
      diagnostics: systemDiagnostics(clock),
      dialer: systemDialer,
      kmsLibraries: openKmsLibraries(config.kmsLibraries, libraries),
      challenges: acme.answers,
    });
    acme.start((index) => server.reloadCertificates(index));
    const deaf = context.onHangup?.(() => {
      written.reopen();
      server.reloadCertificates();
      acme.retry();
      void server.reopenLogs();
    });
    context.stdout.write(banner(server, config));
    await aborted(context.signal);
    deaf?.();
    await acme.stop();
    await server.close();
  } finally {
    await store.close();
    written.close();
  }
  return 0;
}

function fileMaterial(tls: TlsConfig, folder: string): Pick<TlsMaterial, 'cert' | 'key'> {
  if (!('certFile' in tls)) throw configFault('a listener has neither a certificate nor where it is from');
  const file = (path: string, name: string) => readText(resolve(folder, path), name);
  return { cert: file(tls.certFile, 'tls_cert_file'), key: file(tls.keyFile, 'tls_key_file') };
}

function tlsTerms({ minVersion, clientCertificates, clientCaFile }: TlsConfig, folder: string) {
  return {
    minVersion,
    clientCertificates,
    ...(clientCaFile ? { clientCa: readText(resolve(folder, clientCaFile), 'tls_client_ca_file') } : {}),
  };
}

function readText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw unreadable(what, error);
  }
}

function banner({ addresses }: SealedServer, { listeners, storage, apiAddress }: ServerConfig): string {
  const [first] = addresses;
  const scheme = 'path' in first! ? 'unix' : listeners[0]!.tls ? 'https' : 'http';
  const lines = listeners.map(({ at, tls, limits }, index) => {
    const kind = 'path' in at ? 'unix' : 'tcp';
    const settings = [
      `addr: "${formatAddress(addresses[index]!)}"`,
      `max_request_duration: "${formatDuration(limits.sendMs)}"`,
      `max_request_size: "${limits.bodyBytes}"`,
      `tls: "${tls ? 'enabled' : 'disabled'}"`,
    ];
    return `              Listener ${index + 1}: ${kind} (${settings.join(', ')})`;
  });
  return `==> Vault server configuration:

             Api Address: ${apiAddress ?? `${scheme}://${formatAddress(first!)}`}
${lines.join('\n')}
                 Storage: ${describeStorage(storage)}
                 Version: Capstan v${version()}

==> Vault server started! Log data will stream in below:

`;
}
