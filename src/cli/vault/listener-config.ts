import type { SecureVersion } from 'node:tls';
import type { RequestLimits } from '../../vault/http/vault-listener.ts';
import { standardLimits } from '../../vault/http/vault-listener.ts';
import { type ListenAddress, parseListenAddress, type UnixAddress } from '../../wire/http-server.ts';
import { type AcmeConfig, readAcme } from './acme-config.ts';
import { configFault, count, flag, required, type Settings, spanMs, text } from './config-blocks.ts';

/** One `listener` block. */
export interface ListenerConfig {
  at: ListenAddress | UnixAddress;
  /** Plain HTTP where absent. */
  tls: TlsConfig | undefined;
  limits: RequestLimits;
}

/** Where its certificate is from, and what is asked of clients. */
export type TlsConfig = (TlsFiles | { acme: AcmeConfig }) & TlsTerms;

/** Paths of PEM files. */
export interface TlsFiles {
  certFile: string;
  keyFile: string;
}

export interface TlsTerms {
  minVersion: SecureVersion;
  clientCaFile: string | undefined;
  clientCertificates: 'asked' | 'required' | 'none';
}

export const listenerTypes: readonly string[] = ['tcp', 'unix'];

/** @throws Fault `cli.config` */
export function readListener(listener: Settings): ListenerConfig {
  return {
    at:
      listener.type === 'unix'
        ? unixAddress(listener)
        : listenAddress(text(listener, 'address') ?? '127.0.0.1:8200'),
    tls: tlsConfig(listener),
    limits: {
      bodyBytes: count(listener, 'max_request_size') ?? standardLimits.bodyBytes,
      sendMs: spanMs(listener, 'max_request_duration') ?? standardLimits.sendMs,
      jsonDepth: count(listener, 'max_json_depth') ?? standardLimits.jsonDepth,
    },
  };
}

function listenAddress(address: string): ListenAddress {
  // The port may be left out, and is Vault's then.
  return parseListenAddress(/:\d+$/.test(address) ? address : `${address}:8200`);
}

function unixAddress(listener: Settings): UnixAddress {
  const mode = text(listener, 'socket_mode');
  if (mode !== undefined && !/^0?[0-7]{3}$/.test(mode)) {
    throw configFault(`${listener.where}socket_mode takes three octal digits, such as "660"`);
  }
  const owner = (name: string) => {
    const id = text(listener, name);
    if (id === undefined) return undefined;
    if (/^\d+$/.test(id)) return Number(id);
    throw configFault(`${listener.where}${name} takes a number, as "id" prints it`);
  };
  const [uid, gid] = [owner('socket_user'), owner('socket_group')];
  return {
    path: required(listener, 'address'),
    ...(mode === undefined ? {} : { mode: Number.parseInt(mode, 8) }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  };
}

/** A socket of this machine is plain unless it is given a certificate. */
function tlsConfig(listener: Settings): TlsConfig | undefined {
  const certFile = text(listener, 'tls_cert_file');
  const keyFile = text(listener, 'tls_key_file');
  const plain = listener.type === 'unix' && !certFile && !keyFile;
  const disabled = flag(listener, 'tls_disable') ?? plain;
  const acme = listener.type === 'tcp' ? readAcme(listener) : undefined;
  const config = {
    minVersion: tlsVersion(listener),
    clientCaFile: text(listener, 'tls_client_ca_file'),
    clientCertificates: clientCertificates(listener),
  };
  if (disabled) return undefined;
  if (acme && (certFile || keyFile)) {
    throw configFault(`${listener.where}tls_cert_file and tls_acme_domains exclude each other; choose one`);
  }
  if (acme) return { acme, ...config };
  if (certFile && keyFile) return { certFile, keyFile, ...config };
  throw configFault(
    `${listener.where}${certFile ? 'tls_key_file' : 'tls_cert_file'} is missing; give it, or tls_acme_domains, or set tls_disable = true`,
  );
}

function tlsVersion(listener: Settings): SecureVersion {
  const name = text(listener, 'tls_min_version') ?? 'tls12';
  if (name === 'tls12') return 'TLSv1.2';
  if (name === 'tls13') return 'TLSv1.3';
  throw configFault(
    `${listener.where}tls_min_version ${JSON.stringify(name)} is not supported; use "tls12" or "tls13"`,
  );
}

function clientCertificates(listener: Settings): TlsTerms['clientCertificates'] {
  const required = flag(listener, 'tls_require_and_verify_client_cert') ?? false;
  const none = flag(listener, 'tls_disable_client_certs') ?? false;
  if (required && none) {
    throw configFault(
      `${listener.where}tls_require_and_verify_client_cert and tls_disable_client_certs exclude each other`,
    );
  }
  return required ? 'required' : none ? 'none' : 'asked';
}
