import type { Acme } from '../../authority/acme/acme.ts';
import { type AcmeSettings, type EabPolicy, noClusterPath } from '../../authority/acme/acme-settings.ts';
import type { Binding } from '../../authority/acme/external-account.ts';
import { Problem } from '../../authority/acme/problem.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { FieldTable } from '../routing/fields.ts';
import type { Answer, Route } from '../routing/route.ts';
import { directoryName, inEveryDirectory } from './exchange.ts';
import { instant } from './objects.ts';

const settingFields = {
  enabled: 'boolean',
  allowed_issuers: 'commaList',
  allowed_roles: 'commaList',
  allow_role_ext_key_usage: 'boolean',
  default_directory_policy: 'text',
  dns_resolver: 'text',
  eab_policy: 'text',
  max_ttl: 'duration',
} as const satisfies Record<keyof AcmeSettings, FieldTable[string]>;

/** What operators say of ACME, with Vault's tokens. */
export const acmeManagementRoutes: readonly Route<Acme>[] = [
  defineRoute('config/acme', {
    fields: settingFields,
    on: {
      read: async (acme) => describe(acme, await acme.settings.read()),
      update: async (acme, { fields: { eab_policy, ...fields } }) => {
        // What it can be is for the settings to say.
        const policy = eab_policy === undefined ? {} : { eab_policy: eab_policy as EabPolicy };
        return describe(acme, await acme.settings.change({ ...fields, ...policy }));
      },
    },
  }),
  ...inEveryDirectory((at) => [
    defineRoute<Acme, typeof noFields>(`${at}/new-eab`, {
      fields: noFields,
      on: {
        update: async (acme, { captures }) => {
          const binding = await acme.bindings.create(directoryName(at, captures).path);
          return { data: { id: binding.id, key: binding.secret, ...describeBinding(binding) } };
        },
      },
    }),
  ]),
  defineRoute('eab', {
    fields: { after: 'text', limit: 'integer' },
    on: {
      list: async (acme, { fields }) => {
        const bindings = await acme.bindings.list(fields);
        const infos = bindings.map((binding) => [binding.id, describeBinding(binding)] as const);
        return { data: { keys: infos.map(([id]) => id), key_info: Object.fromEntries(infos) } };
      },
    },
  }),
  defineRoute('eab/:key_id', {
    fields: noFields,
    on: {
      delete: async (acme, { captures }) => {
        if (await acme.bindings.delete(captures.key_id!)) return undefined;
        return { warnings: [`No key id found with id: ${captures.key_id}`] };
      },
    },
  }),
];

function describe(acme: Acme, settings: AcmeSettings): Answer {
  return {
    data: { ...settings, max_ttl: settings.max_ttl / 1_000 },
    ...(settings.enabled && !isReachable(acme) ? { warnings: [noClusterPath] } : {}),
  };
}

function isReachable(acme: Acme): boolean {
  try {
    return acme.baseUrl() !== '';
  } catch (error) {
    if (error instanceof Problem) return false;
    throw error;
  }
}

function describeBinding({ directory, createdMs }: Binding): Record<string, unknown> {
  return { key_type: 'hs', acme_directory: `${directory}/directory`, created_on: instant(createdMs) };
}
