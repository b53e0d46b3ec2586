import { uuid } from '../../../base/entropy.ts';
import { invalidRequest, unsupportedPath } from '../../faults.ts';
import { defineRoute, noFields } from '../../routing/define-route.ts';
import type { FieldTable } from '../../routing/fields.ts';
import type { Answer, Route } from '../../routing/route.ts';
import {
  type AppRole,
  type AppRoleFields,
  appRoleFields,
  checkRole,
  createRole,
  describeRole,
  updateRole,
} from './app-role.ts';
import { type AppRoleContext, deleteRole, roleNamed, writeRole } from './role-store.ts';

/** One setting of a role with a path of its own. */
interface Setting {
  path: string;
  /** The parameters that set it, as the whole role's path knows them; the first is the one asked for. */
  fields: readonly (keyof typeof appRoleFields)[];
  shown: readonly string[];
  /** What is left of the role where the setting is taken away. */
  reset: Partial<AppRole>;
}

const settings: readonly Setting[] = [
  {
    path: 'policies',
    fields: ['token_policies', 'policies'],
    shown: ['token_policies', 'policies'],
    reset: { token_policies: [] },
  },
  {
    path: 'bound-cidr-list',
    fields: ['bound_cidr_list'],
    shown: ['bound_cidr_list'],
    reset: { secret_id_bound_cidrs: null },
  },
  {
    path: 'secret-id-bound-cidrs',
    fields: ['secret_id_bound_cidrs'],
    shown: ['secret_id_bound_cidrs'],
    reset: { secret_id_bound_cidrs: null },
  },
  {
    path: 'token-bound-cidrs',
    fields: ['token_bound_cidrs'],
    shown: ['token_bound_cidrs'],
    reset: { token_bound_cidrs: [] },
  },
  {
    path: 'bind-secret-id',
    fields: ['bind_secret_id'],
    shown: ['bind_secret_id'],
    reset: { bind_secret_id: true },
  },
  {
    path: 'secret-id-num-uses',
    fields: ['secret_id_num_uses'],
    shown: ['secret_id_num_uses'],
    reset: { secret_id_num_uses: 0 },
  },
  {
    path: 'secret-id-ttl',
    fields: ['secret_id_ttl'],
    shown: ['secret_id_ttl'],
    reset: { secret_id_ttl: 0 },
  },
  {
    path: 'period',
    fields: ['token_period', 'period'],
    shown: ['token_period', 'period'],
    reset: { token_period: 0 },
  },
  {
    path: 'token-num-uses',
    fields: ['token_num_uses'],
    shown: ['token_num_uses'],
    reset: { token_num_uses: 0 },
  },
  { path: 'token-ttl', fields: ['token_ttl'], shown: ['token_ttl'], reset: { token_ttl: 0 } },
  { path: 'token-max-ttl', fields: ['token_max_ttl'], shown: ['token_max_ttl'], reset: { token_max_ttl: 0 } },
];

export const roleRoutes: readonly Route<AppRoleContext>[] = [
  defineRoute('role', {
    fields: { after: 'text', limit: 'integer' },
    on: {
      list: async ({ store }, { fields }) => {
        const page = await store.list('role/', fields);
        return { data: { keys: page.map(({ name }) => name) } };
      },
    },
  }),
  defineRoute('role/:role_name', {
    fields: appRoleFields,
    on: {
      read: async ({ store }, { captures }) => {
        const role = await roleNamed(store, captures.role_name!);
        return role && { data: describeRole(role) };
      },
      update: (context, { captures, fields }) => putRole(context, captures.role_name!, fields),
      delete: async (context, { captures }) => {
        await deleteRole(context, captures.role_name!);
        return undefined;
      },
    },
  }),
  ...settings.map(settingRoute),
  defineRoute('role/:role_name/local-secret-ids', {
    fields: noFields,
    on: { read: ({ store }, { captures }) => readSetting(store, captures.role_name!, ['local_secret_ids']) },
  }),
  defineRoute('role/:role_name/role-id', {
    fields: { role_id: 'text' },
    on: {
      read: async ({ store }, { captures }) => {
        const role = await roleNamed(store, captures.role_name!);
        return role && { data: { role_id: role.role_id } };
      },
      update: async (context, { captures, fields }) => {
        if (!fields.role_id) throw invalidRequest('missing role_id');
        await changeRole(context, captures.role_name!, (role) => ({ ...role, role_id: fields.role_id! }));
        return undefined;
      },
    },
  }),
];

async function putRole(
  { store, entropy, maxLeaseMs }: AppRoleContext,
  name: string,
  fields: AppRoleFields,
): Promise<Answer | undefined> {
  const drawn = {
    name: name.toLowerCase(),
    uuid: uuid(entropy),
    role_id: uuid(entropy),
    hmacKey: entropy.bytes(32).toString('base64'),
  };
  const warnings = await store.change(async (work) => {
    const before = await roleNamed(work, name);
    const next = before ? updateRole(before, fields, maxLeaseMs()) : createRole(fields, drawn, maxLeaseMs());
    await writeRole(work, next.role, before);
    return next.warnings;
  });
  return warnings.length > 0 ? { warnings } : undefined;
}

/** @throws Fault `vault.path.unsupported` where there is no such role */
async function changeRole(
  { store }: AppRoleContext,
  name: string,
  change: (role: AppRole) => AppRole,
): Promise<void> {
  await store.change(async (work) => {
    const before = await roleNamed(work, name);
    if (!before) throw unsupportedPath();
    const role = change(before);
    checkRole(role);
    await writeRole(work, role, before);
  });
}

function settingRoute({ path, fields: names, shown, reset }: Setting): Route<AppRoleContext> {
  const table: FieldTable = Object.fromEntries(names.map((name) => [name, appRoleFields[name]]));
  return defineRoute(`role/:role_name/${path}`, {
    fields: table,
    on: {
      read: ({ store }, { captures }) => readSetting(store, captures.role_name!, shown),
      update: async (context, { captures, fields }) => {
        if (names.every((name) => isMissing(fields[name]))) throw invalidRequest(`missing ${names[0]}`);
        await changeRole(context, captures.role_name!, (role) => updateRole(role, fields, Infinity).role);
        return undefined;
      },
      delete: async ({ store }, { captures }) => {
        await store.change(async (work) => {
          const before = await roleNamed(work, captures.role_name!);
          if (!before) return;
          const old_names = before.old_names.filter((name) => !names.some((field) => field === name));
          const role = { ...before, old_names, ...reset };
          checkRole(role);
          await writeRole(work, role, before);
        });
        return undefined;
      },
    },
  });
}

/** A list of nothing sets nothing. */
function isMissing(value: unknown): boolean {
  return value === undefined || (Array.isArray(value) && value.length === 0);
}

async function readSetting(
  store: AppRoleContext['store'],
  name: string,
  shown: readonly string[],
): Promise<Answer | undefined> {
  const role = await roleNamed(store, name);
  if (!role) return undefined;
  const all: Record<string, unknown> = { ...describeRole(role), bound_cidr_list: role.secret_id_bound_cidrs };
  const data = Object.fromEntries(shown.filter((key) => key in all).map((key) => [key, all[key]]));
  const isOld = shown.includes('bound_cidr_list');
  return isOld ? { data, warnings: [boundCidrListWarning] } : { data };
}

const boundCidrListWarning =
  'The "bound_cidr_list" field is deprecated and will be removed. Please use "secret_id_bound_cidrs" instead.';
