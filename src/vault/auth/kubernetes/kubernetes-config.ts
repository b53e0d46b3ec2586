import { X509Certificate } from 'node:crypto';
import { invalidRequest } from '../../faults.ts';
import { defineRoute } from '../../routing/define-route.ts';
import type { FieldTable, FieldValues } from '../../routing/fields.ts';
import type { Route } from '../../routing/route.ts';
import type { RolesContext } from '../named-roles.ts';
import { publicKey } from '../public-key.ts';

/** How to ask the cluster; the store keeps it whole. */
export interface KubernetesConfig {
  /** URL of the API server. */
  kubernetes_host: string;
  /** PEM; empty for the pod's own, else the machine's roots. */
  kubernetes_ca_cert: string;
  /** What token reviews are asked for with; empty for the pod's own, else the token under review itself. */
  token_reviewer_jwt: string;
  /** PEM of keys that tokens must be signed by; empty where the review alone decides. */
  pem_keys: readonly string[];
  issuer: string;
  disable_iss_validation: boolean;
  disable_local_ca_jwt: boolean;
}

export const configFields = {
  disable_iss_validation: 'boolean',
  disable_local_ca_jwt: 'boolean',
  issuer: 'text',
  kubernetes_ca_cert: 'text',
  kubernetes_host: 'text',
  pem_keys: 'list',
  token_reviewer_jwt: 'text',
} as const satisfies FieldTable;

const configKey = 'config';

export const configRoutes: readonly Route<RolesContext>[] = [
  defineRoute('config', {
    fields: configFields,
    on: {
      read: async ({ store }) => {
        const config = await readConfig(store);
        if (!config) return undefined;
        const { token_reviewer_jwt, ...shown } = config;
        return { data: { ...shown, token_reviewer_jwt_set: token_reviewer_jwt !== '' } };
      },
      update: async ({ store }, { fields }) => {
        const config = planConfig(fields);
        await store.change(async (work) => work.put(configKey, config));
        return undefined;
      },
    },
  }),
];

export function readConfig(store: RolesContext['store']): Promise<KubernetesConfig | undefined> {
  return store.get<KubernetesConfig>(configKey);
}

/** @throws Fault `vault.request.invalid` */
function planConfig(fields: FieldValues<typeof configFields>): KubernetesConfig {
  const host = fields.kubernetes_host ?? '';
  if (host === '') throw invalidRequest('no host provided');
  const ca = fields.kubernetes_ca_cert ?? '';
  const alone = fields.disable_local_ca_jwt ?? false;
  if (alone && ca === '') {
    throw invalidRequest('kubernetes_ca_cert must be given when disable_local_ca_jwt is true');
  }
  if (ca !== '') checkCertificates(ca);
  const pem_keys = fields.pem_keys ?? [];
  for (const pem of pem_keys) publicKey(pem);
  apiAddress({ kubernetes_host: host });
  return {
    kubernetes_host: host,
    kubernetes_ca_cert: ca,
    token_reviewer_jwt: fields.token_reviewer_jwt ?? '',
    pem_keys,
    issuer: fields.issuer ?? '',
    disable_iss_validation: fields.disable_iss_validation ?? true,
    disable_local_ca_jwt: alone,
  };
}

function checkCertificates(pem: string): void {
  try {
    void new X509Certificate(pem);
  } catch (error) {
    throw invalidRequest('kubernetes_ca_cert holds no certificate in PEM', error);
  }
}

/** Where the API server is, with a slash at the end. @throws Fault `vault.request.invalid` */
export function apiAddress({ kubernetes_host: host }: Pick<KubernetesConfig, 'kubernetes_host'>): URL {
  const url = URL.parse(/^https?:\/\//.test(host) ? host : `https://${host}`);
  if (!url) throw invalidRequest(`kubernetes_host ${JSON.stringify(host)} is no URL`);
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}
