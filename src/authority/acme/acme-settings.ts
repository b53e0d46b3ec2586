import { isIP } from 'node:net';
import { dayMs } from '../../base/duration.ts';
import { Fault } from '../../base/fault.ts';
import { refused } from '../refused.ts';
import { type AcmeStore, asRead, putting } from './acme-store.ts';

export const eabPolicies = ['not-required', 'new-account-required', 'always-required'] as const;
/** Which accounts must be bound to an external one. */
export type EabPolicy = (typeof eabPolicies)[number];

/** What an operator says of ACME, in Vault's words, with Vault's defaults. Times are in milliseconds. */
export const acmeDefaults = {
  enabled: false,
  /** Ids or names; `*` alone for all. */
  allowed_issuers: ['*'] as readonly string[],
  allowed_roles: ['*'] as readonly string[],
  allow_role_ext_key_usage: false,
  /** What holds in directories without a role: `sign-verbatim`, `role:NAME` or `forbid`. */
  default_directory_policy: 'sign-verbatim',
  /** ADDRESS:PORT; empty for the machine's own. */
  dns_resolver: '',
  eab_policy: 'not-required' as EabPolicy,
  /** The longest that a certificate may last. */
  max_ttl: 90 * dayMs,
};

export type AcmeSettings = Readonly<typeof acmeDefaults>;

/** Whom settings refer to. */
export interface SettingsWorld {
  /** @throws Fault where there is no such issuer */
  assertIssuer: (reference: string) => void;
  /** @throws Fault where there is no such role, or it is none for ACME */
  assertRole: (name: string) => Promise<void>;
  clusterPath: () => string | undefined;
}

export interface StoredSettings {
  read(): Promise<AcmeSettings>;
  /** Changes what is given. @throws Fault `authority.acme` */
  change(given: Partial<AcmeSettings>): Promise<AcmeSettings>;
}

export function storedSettings(store: AcmeStore, world: SettingsWorld): StoredSettings {
  const key = store.at.settings();
  return {
    read: async () => ({ ...acmeDefaults, ...(await store.read<Partial<AcmeSettings>>(key))?.value }),
    change: (given) =>
      store.decideAndCommit(async () => {
        const found = await store.read<Partial<AcmeSettings>>(key);
        const settings = { ...acmeDefaults, ...found?.value, ...given };
        await check(settings, world);
        return {
          batch: { expect: [found ? asRead(found) : { key, revision: 0 }], puts: [putting(key, settings)] },
          result: settings,
        };
      }),
  };
}

const problem = (message: string) => refused('acme', message);

/** @throws Fault `authority.acme` in Vault's words */
async function check(settings: AcmeSettings, world: SettingsWorld): Promise<void> {
  const { allowed_roles: roles, allowed_issuers: issuers, eab_policy, max_ttl } = settings;
  for (const [name, list] of Object.entries({ allowed_roles: roles, allowed_issuers: issuers })) {
    if (list.length > 0) continue;
    throw problem(
      `${name} must take a non-zero length value; specify '*' as the value to allow anything or specify enabled=false to disable ACME entirely`,
    );
  }
  if (!eabPolicies.includes(eab_policy)) {
    const known = eabPolicies.map((policy) => `'${policy}'`).join(', ');
    throw problem(`invalid eab policy name provided, valid values are ${known}`);
  }
  if (max_ttl <= 0) throw problem('max_ttl must be positive');
  checkResolver(settings.dns_resolver);
  const ownRole = policyRole(settings.default_directory_policy);
  if (ownRole !== undefined)
    await assertRole(ownRole, `default directory policy role ${ownRole} is not a valid ACME role`, world);
  if (!isAny(roles)) {
    for (const name of roles) {
      await assertRole(named(name, 'role', roles), `allowed_role ${name} is not a valid acme role`, world);
    }
    if (ownRole !== undefined && !roles.includes(ownRole)) {
      throw problem(
        `default directory policy role:${ownRole} was not specified in allowed_roles: [${roles.join(' ')}]`,
      );
    }
  }
  if (!isAny(issuers)) for (const name of issuers) world.assertIssuer(named(name, 'issuer', issuers));
  if (settings.enabled && !world.clusterPath()) throw problem(noClusterPath);
}

async function assertRole(name: string, what: string, world: SettingsWorld): Promise<void> {
  try {
    await world.assertRole(name);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw refused('acme', `${what}: ${error.message}`, error);
  }
}

export const noClusterPath = "ACME feature requires local cluster 'path' field configuration to be set";

export function isAny(list: readonly string[]): boolean {
  return list.length === 1 && list[0] === '*';
}

function named(name: string, kind: string, list: readonly string[]): string {
  if (name === '*') throw problem(`cannot use '*' as ${kind} name at index ${list.indexOf(name)}`);
  return name;
}

/** The role that directories without one have; undefined where they need none. @throws Fault `authority.acme` */
export function policyRole(policy: string): string | undefined {
  if (policy === 'forbid' || policy === 'sign-verbatim') return undefined;
  const role = policy.startsWith('role:') ? policy.slice('role:'.length) : undefined;
  if (role) return role;
  const why =
    role === ''
      ? `no role specified by policy ${policy}`
      : `string ${policy} not a valid Default Directory Policy`;
  throw problem(`invalid default_directory_policy: ${why}`);
}

function checkResolver(resolver: string): void {
  if (resolver === '') return;
  const { host, port } = splitResolver(resolver);
  const fail = (why: string) => problem(`failed to parse DNS resolver address: ${why}`);
  if (port === undefined) throw fail(`missing port in address ${resolver}`);
  if (host === '') throw fail('got empty address');
  if (isIP(host) === 0) throw fail('expected IPv4/IPv6 address, likely got hostname');
}

function splitResolver(text: string): { host: string; port: string | undefined } {
  const [, v6, host = '', port] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  return { host: v6 ?? host, port };
}
