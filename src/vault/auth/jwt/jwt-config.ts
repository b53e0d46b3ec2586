import { describeError, Fault } from '../../../base/fault.ts';
import { invalidRequest } from '../../faults.ts';
import { defineRoute } from '../../routing/define-route.ts';
import type { FieldTable, FieldValues } from '../../routing/fields.ts';
import type { Route } from '../../routing/route.ts';
import type { RolesContext } from '../named-roles.ts';
import { publicKey } from '../public-key.ts';
import { jwsAlgorithms } from './jws.ts';
import { fixedKeySet, type KeySet, type KeySetOptions, type RemoteKeys, remoteKeySet } from './key-set.ts';

/** Whose tokens are good; one of the first three is set. */
export interface JwtConfig {
  jwt_validation_pubkeys: readonly string[];
  jwks_url: string;
  oidc_discovery_url: string;
  jwks_ca_pem: string;
  oidc_discovery_ca_pem: string;
  bound_issuer: string;
  default_role: string;
  jwt_supported_algs: readonly string[];
}

const fields = {
  bound_issuer: 'text',
  default_role: 'text',
  jwks_ca_pem: 'text',
  jwks_url: 'text',
  jwt_supported_algs: 'commaList',
  jwt_validation_pubkeys: 'list',
  oidc_client_id: 'text',
  oidc_client_secret: 'text',
  oidc_discovery_ca_pem: 'text',
  oidc_discovery_url: 'text',
} as const satisfies FieldTable;

export interface JwtConfigContext extends RolesContext {
  network: KeySetOptions;
}

const configKey = 'config';

export const configRoutes: readonly Route<JwtConfigContext>[] = [
  defineRoute('config', {
    fields,
    on: {
      read: async ({ store }) => {
        const config = await readConfig(store);
        return config && { data: { ...config } };
      },
      update: async ({ store, network }, { fields: given }) => {
        const config = planConfig(given);
        await tryKeys(config, network);
        await store.change(async (work) => work.put(configKey, config));
        return undefined;
      },
    },
  }),
];

export function readConfig(store: RolesContext['store']): Promise<JwtConfig | undefined> {
  return store.get<JwtConfig>(configKey);
}

function planConfig(given: FieldValues<typeof fields>): JwtConfig {
  if (given.oidc_client_id || given.oidc_client_secret) {
    throw invalidRequest('oidc_client_id is not supported: only logins with a JWT are');
  }
  const config: JwtConfig = {
    jwt_validation_pubkeys: given.jwt_validation_pubkeys ?? [],
    jwks_url: given.jwks_url ?? '',
    oidc_discovery_url: given.oidc_discovery_url ?? '',
    jwks_ca_pem: given.jwks_ca_pem ?? '',
    oidc_discovery_ca_pem: given.oidc_discovery_ca_pem ?? '',
    bound_issuer: given.bound_issuer ?? '',
    default_role: (given.default_role ?? '').toLowerCase(),
    jwt_supported_algs: given.jwt_supported_algs ?? [],
  };
  const ways = [config.jwt_validation_pubkeys, config.jwks_url, config.oidc_discovery_url];
  if (ways.filter((way) => way.length > 0).length !== 1) {
    throw invalidRequest(
      "exactly one of 'jwt_validation_pubkeys', 'jwks_url' or 'oidc_discovery_url' must be set",
    );
  }
  if (config.oidc_discovery_url.includes('.well-known/openid-configuration')) {
    throw invalidRequest("'oidc_discovery_url' contains '.well-known' component");
  }
  for (const pem of config.jwt_validation_pubkeys) publicKey(pem);
  const unknown = config.jwt_supported_algs.find(
    (name) => !(jwsAlgorithms as readonly string[]).includes(name),
  );
  if (unknown !== undefined) {
    throw invalidRequest(
      `invalid jwt_supported_algs: unsupported signing algorithm ${JSON.stringify(unknown)}`,
    );
  }
  return config;
}

/** Keys that cannot be had are better found out now than by whoever logs in first. */
async function tryKeys(config: JwtConfig, network: KeySetOptions): Promise<void> {
  const remote = remoteOf(config);
  if (!remote) return;
  const keys = remoteKeySet(remote, network);
  try {
    await keys.verifies({ algorithm: 'RS256', keyId: undefined, claims: {}, signed: none, signature: none });
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const what = remote.isDiscovery ? 'oidc discovery URL' : 'jwks URL';
    throw invalidRequest(`error checking ${what}: ${describeError(error)}`, error);
  } finally {
    keys.close();
  }
}

const none = Buffer.alloc(0);

function remoteOf(config: JwtConfig): RemoteKeys | undefined {
  const { jwks_url, jwks_ca_pem, oidc_discovery_url, oidc_discovery_ca_pem } = config;
  if (jwks_url !== '') return { url: jwks_url, isDiscovery: false, caPem: jwks_ca_pem };
  if (oidc_discovery_url === '') return undefined;
  return { url: oidc_discovery_url, isDiscovery: true, caPem: oidc_discovery_ca_pem };
}

/** The keys of a configuration, the same for as long as it says the same. */
export function keySets(network: KeySetOptions): (config: JwtConfig) => KeySet {
  let held: { by: string; keys: KeySet; close: () => void } | undefined;
  return (config) => {
    const remote = remoteOf(config);
    const by = JSON.stringify(remote ?? config.jwt_validation_pubkeys);
    if (held?.by !== by) {
      held?.close();
      const keys = remote ? remoteKeySet(remote, network) : undefined;
      held = {
        by,
        keys: keys ?? fixedKeySet(config.jwt_validation_pubkeys.map(publicKey)),
        close: () => keys?.close(),
      };
    }
    return held.keys;
  };
}
