import { describeError, Fault } from '../../../base/fault.ts';
import type { Log } from '../../../base/log.ts';
import { denied, failed, invalidRequest } from '../../faults.ts';
import { defineRoute } from '../../routing/define-route.ts';
import type { Route } from '../../routing/route.ts';
import { isWithin } from '../../token/bound-cidrs.ts';
import { isSignedBy, type Jws, readJws } from '../jwt/jws.ts';
import type { LoginDesk, LoginGrant } from '../login.ts';
import { namedRole, type RolesContext } from '../named-roles.ts';
import { publicKey } from '../public-key.ts';
import type { Cluster, ServiceAccount } from './cluster.ts';
import { type KubernetesConfig, readConfig } from './kubernetes-config.ts';
import { type KubernetesRole, kubernetesRole, nameProblem, namesNamespace } from './kubernetes-role.ts';
import { namespaceSelector } from './namespace-selector.ts';

export interface KubernetesContext extends RolesContext {
  desk: LoginDesk;
  log: Log;
  cluster: (config: KubernetesConfig) => Promise<Cluster>;
}

export const loginRoutes: readonly Route<KubernetesContext>[] = [
  defineRoute('login', {
    fields: { role: 'text', jwt: 'text' },
    open: true,
    on: {
      update: async (context, { fields, path, origin }) => {
        if (!fields.role) throw invalidRequest('missing role');
        if (!fields.jwt) throw invalidRequest('missing jwt');
        const grant = await admit(context, {
          name: fields.role,
          token: fields.jwt,
          address: origin.remoteAddress,
        });
        return context.desk(grant, { mount: context.mount(), path });
      },
    },
  }),
];

interface Attempt {
  name: string;
  token: string;
  address: string;
}

async function admit(context: KubernetesContext, { name, token, address }: Attempt): Promise<LoginGrant> {
  const { store } = context;
  const role = await namedRole<KubernetesRole>(store, kubernetesRole, name);
  if (!role) throw invalidRequest(`invalid role name ${JSON.stringify(name)}`);
  if (role.token_bound_cidrs.length > 0 && !isWithin(role.token_bound_cidrs, address)) {
    throw denied('permission denied');
  }
  const config = await readConfig(store);
  if (!config) throw failed('could not load backend configuration');
  const cluster = await context.cluster(config);
  const claimed = claimedAccount(readToken(token), role, config);
  await checkNamespace(role, claimed.account.namespace, cluster);
  const account = await asked(context, () => cluster.review(token, role.audience));
  if (!isSame(account, claimed.account)) throw denied('permission denied');
  return grantOf(role, { name: name.toLowerCase(), account, secretName: claimed.secretName });
}

function grantOf(
  settings: KubernetesRole,
  { name, account, secretName }: { name: string; account: ServiceAccount; secretName: string },
): LoginGrant {
  return {
    displayName: `${account.namespace}-${account.name}`,
    metadata: {
      role: name,
      service_account_name: account.name,
      service_account_namespace: account.namespace,
      service_account_secret_name: secretName,
      service_account_uid: account.uid,
    },
    internal: { role: name },
    settings,
  };
}

function readToken(token: string): Jws {
  try {
    return readJws(token);
  } catch (error) {
    throw denied(describeError(error));
  }
}

/**
 * Whose token it claims to be. That is checked first, so that the cluster is not asked about tokens of others; what it
 * is worth, and for how long, the review decides.
 */
function claimedAccount(
  jws: Jws,
  role: KubernetesRole,
  config: KubernetesConfig,
): { account: ServiceAccount; secretName: string } {
  const { claims } = jws;
  if (config.pem_keys.length > 0 && !config.pem_keys.some((pem) => isSignedBy(jws, publicKey(pem)))) {
    throw denied('permission denied');
  }
  const issuer = config.disable_iss_validation ? '' : config.issuer || 'kubernetes/serviceaccount';
  if (issuer !== '' && claims.iss !== issuer) throw denied('invalid issuer (iss) claim');
  const audiences = Array.isArray(claims.aud) ? claims.aud : [claims.aud];
  if (role.audience !== '' && !audiences.includes(role.audience)) {
    throw denied('invalid audience (aud) claim: audience claim does not match any expected audience');
  }
  const account = accountOf(claims);
  const problem = nameProblem(role, account.name);
  if (problem) throw denied(problem);
  return { account, secretName: textOf(claims['kubernetes.io/serviceaccount/secret.name']) };
}

/** Tokens of service accounts say it in one object; those of old, kept in Secrets, in claims side by side. */
function accountOf(claims: Readonly<Record<string, unknown>>): ServiceAccount {
  const bound = claims['kubernetes.io'] as
    | { namespace?: unknown; serviceaccount?: { name?: unknown; uid?: unknown } }
    | undefined;
  if (bound?.serviceaccount) {
    const { namespace, serviceaccount } = bound;
    return {
      namespace: textOf(namespace),
      name: textOf(serviceaccount.name),
      uid: textOf(serviceaccount.uid),
    };
  }
  return {
    namespace: textOf(claims['kubernetes.io/serviceaccount/namespace']),
    name: textOf(claims['kubernetes.io/serviceaccount/service-account.name']),
    uid: textOf(claims['kubernetes.io/serviceaccount/service-account.uid']),
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

async function checkNamespace(role: KubernetesRole, namespace: string, cluster: Cluster): Promise<void> {
  if (namesNamespace(role, namespace)) return;
  const selector = role.bound_service_account_namespace_selector;
  if (selector === '') throw denied('namespace not authorized');
  let labels: Readonly<Record<string, string>>;
  try {
    labels = await cluster.namespaceLabels(namespace);
  } catch (error) {
    throw denied(`namespace not authorized err=${describeError(error)}`);
  }
  if (!namespaceSelector(selector)(labels)) throw denied('namespace not authorized');
}

/** Why the cluster refuses is for the log: whoever logs in learns that it did. */
async function asked<T>({ log }: KubernetesContext, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    log.warn('a login by a service account was refused', { error: describeError(error) });
    throw denied('permission denied');
  }
}

function isSame(a: ServiceAccount, b: ServiceAccount): boolean {
  return a.namespace === b.namespace && a.name === b.name && a.uid === b.uid && a.uid !== '';
}
