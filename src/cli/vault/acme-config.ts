import type { ChallengeType } from '../../authority/acme/authorization.ts';
import { type Identifier, isWildcard, readIdentifiers } from '../../authority/acme/identifier.ts';
import { Fault } from '../../base/fault.ts';
import { SecretText } from '../../base/secret.ts';
import type { KeeperSettings } from '../../vault/acme-client/certificate-keeper.ts';
import { parseIp } from '../../x509/ip-address.ts';
import type { KeySpec } from '../../x509/key.ts';
import { configFault, flag, type Settings, text, texts } from './config-blocks.ts';

/** What certifies a listener by ACME, in OpenBao's settings. */
export interface AcmeConfig extends KeeperSettings {
  /** A folder. */
  cachePath: string;
  /** A PEM file; the machine's roots where absent. */
  caRoot: string | undefined;
}

const letsEncrypt = 'https://acme-v02.api.letsencrypt.org/directory';

/** In the spelling of the library that OpenBao gets its certificates with. */
const keyTypes: Readonly<Record<string, KeySpec>> = {
  ed25519: { type: 'ed25519' },
  p256: { type: 'ec', curve: 'P-256' },
  p384: { type: 'ec', curve: 'P-384' },
  rsa2048: { type: 'rsa', bits: 2_048 },
  rsa4096: { type: 'rsa', bits: 4_096 },
  rsa8192: { type: 'rsa', bits: 8_192 },
};

/** Undefined where the listener is certified otherwise. @throws Fault `cli.config` */
export function readAcme(listener: Settings): AcmeConfig | undefined {
  const given = [...listener.items.keys()].some((name) => name.startsWith('tls_acme_'));
  const directory = text(listener, 'tls_acme_ca_directory') ?? letsEncrypt;
  const domains = texts(listener, 'tls_acme_domains');
  const cachePath = text(listener, 'tls_acme_cache_path') ?? '';
  const rest = {
    directory,
    email: text(listener, 'tls_acme_email') ?? '',
    keySpec: keyType(listener),
    binding: externalAccount(listener),
    challengeTypes: challengeTypes(listener),
    caRoot: text(listener, 'tls_acme_ca_root'),
  };
  if (!given || directory === '') return undefined;
  if (!/^https?:\/\/./.test(directory) || !URL.canParse(directory)) {
    throw configFault(`${listener.where}tls_acme_ca_directory takes a URL`);
  }
  if (rest.email !== '' && !/^[^\s@,?]+@[^\s@,?]+$/.test(rest.email)) {
    throw configFault(`${listener.where}tls_acme_email takes one address, such as "ops@example.com"`);
  }
  if (cachePath === '') {
    throw configFault(
      `${listener.where}tls_acme_cache_path is missing; give a folder that outlasts this server's restarts`,
    );
  }
  return { ...rest, cachePath, names: names(listener, domains) };
}

function names({ where }: Settings, domains: readonly string[]): readonly Identifier[] {
  if (domains.length === 0) {
    throw configFault(
      `${where}tls_acme_domains is missing; list what clients call this server by: ["vault.example.com"]`,
    );
  }
  try {
    const found = readIdentifiers(domains.map((value) => ({ type: parseIp(value) ? 'ip' : 'dns', value })));
    const wildcard = found.find(isWildcard);
    if (!wildcard) return found;
    throw configFault(`${where}tls_acme_domains: ${wildcard.value} can only be proven by DNS; list names`);
  } catch (error) {
    if (!(error instanceof Fault) || error.code === 'cli.config') throw error;
    throw configFault(`${where}tls_acme_domains: ${error.message}`, error);
  }
}

function keyType(listener: Settings): KeySpec {
  const name = text(listener, 'tls_acme_key_type') || 'p256';
  const found = Object.hasOwn(keyTypes, name) ? keyTypes[name] : undefined;
  if (found) return found;
  const known = Object.keys(keyTypes).join(', ');
  throw configFault(
    `${listener.where}tls_acme_key_type ${JSON.stringify(name)} is not known; use one of ${known}`,
  );
}

function externalAccount(listener: Settings): AcmeConfig['binding'] {
  const keyId = text(listener, 'tls_acme_eab_key_id') ?? '';
  const macKey = text(listener, 'tls_acme_eab_mac_key') ?? '';
  if (keyId === '' && macKey === '') return undefined;
  if (keyId === '' || macKey === '') {
    throw configFault(`${listener.where}tls_acme_eab_key_id and tls_acme_eab_mac_key go together; give both`);
  }
  if (!/^[\w+/-]+=*$/.test(macKey)) {
    throw configFault(`${listener.where}tls_acme_eab_mac_key takes base64url, as the CA gave it`);
  }
  return { keyId, macKey: new SecretText(macKey) };
}

function challengeTypes(listener: Settings): readonly ChallengeType[] {
  const off = (name: string) => flag(listener, name) ?? false;
  const noHttp = off('tls_acme_disable_http_challenge');
  const noHandshake = off('tls_acme_disable_alpn_challenge');
  if (noHttp && noHandshake) {
    throw configFault(
      `${listener.where}one of ACME's challenges must be left: over HTTP, or over TLS (ALPN)`,
    );
  }
  return [...(noHandshake ? [] : ['tls-alpn-01' as const]), ...(noHttp ? [] : ['http-01' as const])];
}
