import { invalidRequest } from '../../faults.ts';
import { leaseLimits } from '../../mount/mount.ts';
import type { FieldTable } from '../../routing/fields.ts';
import { matchesAnyGlob } from '../glob.ts';
import type { RoleKind } from '../named-roles.ts';
import {
  defaultTokenSettings,
  mergeTokenSettings,
  oldTokenFields,
  type TokenSettings,
  tokenFields,
} from '../token-settings.ts';
import { namespaceSelector } from './namespace-selector.ts';

const aliasNameSources = ['serviceaccount_uid', 'serviceaccount_name'];

export interface KubernetesRole extends TokenSettings {
  alias_name_source: string;
  audience: string;
  /** With globs. */
  bound_service_account_names: readonly string[];
  bound_service_account_namespaces: readonly string[];
  bound_service_account_namespace_selector: string;
}

const fields = {
  ...tokenFields,
  ...oldTokenFields,
  alias_name_source: 'text',
  audience: 'text',
  bound_service_account_names: 'commaList',
  bound_service_account_namespace_selector: 'text',
  bound_service_account_namespaces: 'commaList',
} as const satisfies FieldTable;

export const kubernetesRole: RoleKind<KubernetesRole, typeof fields> = {
  path: 'role',
  fields,
  merge(before, given, { mount }) {
    const role: KubernetesRole = {
      ...mergeTokenSettings(before ?? defaultTokenSettings, given),
      alias_name_source: given.alias_name_source || before?.alias_name_source || aliasNameSources[0]!,
      audience: given.audience ?? before?.audience ?? '',
      bound_service_account_names:
        given.bound_service_account_names ?? before?.bound_service_account_names ?? [],
      bound_service_account_namespaces:
        given.bound_service_account_namespaces ?? before?.bound_service_account_namespaces ?? [],
      bound_service_account_namespace_selector:
        given.bound_service_account_namespace_selector ??
        before?.bound_service_account_namespace_selector ??
        '',
    };
    check(role);
    const { maxTtlMs } = leaseLimits(mount);
    if (role.token_period > maxTtlMs) {
      throw invalidRequest("token period is greater than the backend's maximum lease TTL");
    }
    return role.token_max_ttl > maxTtlMs ? { role, warnings: [truncated] } : { role };
  },
  describe: (role) => ({
    alias_name_source: role.alias_name_source,
    ...(role.audience === '' ? {} : { audience: role.audience }),
    bound_service_account_names: role.bound_service_account_names,
    bound_service_account_namespace_selector: role.bound_service_account_namespace_selector,
    bound_service_account_namespaces: role.bound_service_account_namespaces,
  }),
};

const truncated =
  "max_ttl is greater than the system or backend mount's maximum TTL value; issued tokens' max TTL value will be truncated";

function check(role: KubernetesRole): void {
  const { bound_service_account_names: names, bound_service_account_namespaces: namespaces } = role;
  const selector = role.bound_service_account_namespace_selector;
  if (names.length === 0) throw invalidRequest('"bound_service_account_names" can not be empty');
  if (namespaces.length === 0 && selector === '') {
    throw invalidRequest(
      '"bound_service_account_namespaces" can not be empty if "bound_service_account_namespace_selector" is not set',
    );
  }
  for (const list of [names, namespaces]) {
    if (list.length > 1 && list.includes('*')) throw invalidRequest('can not mix "*" with values');
  }
  if (selector !== '') namespaceSelector(selector);
  if (!aliasNameSources.includes(role.alias_name_source)) {
    throw invalidRequest(`invalid alias_name_source, must be one of: ${aliasNameSources.join(', ')}`);
  }
}

/** Why an account of that name may not log in; undefined where its name is right. */
export function nameProblem(role: KubernetesRole, name: string): string | undefined {
  return matchesAnyGlob(role.bound_service_account_names, name)
    ? undefined
    : 'service account name not authorized';
}

/** Whether the namespace is named by the role; one that is not may still have the labels that it asks for. */
export function namesNamespace(role: KubernetesRole, namespace: string): boolean {
  return matchesAnyGlob(role.bound_service_account_namespaces, namespace);
}
