import { uuid } from '../../../base/entropy.ts';
import { absent, failed, invalidRequest } from '../../faults.ts';
import { defineRoute, noFields } from '../../routing/define-route.ts';
import type { FieldValues } from '../../routing/fields.ts';
import type { Answer, Route } from '../../routing/route.ts';
import type { Work } from '../method-store.ts';
import { type AppRole, secretIdHmac } from './app-role.ts';
import { type AppRoleContext, roleNamed } from './role-store.ts';
import { describeSecretId, isOver, type SecretId, secretIdFields } from './secret-id.ts';
import {
  addSecretId,
  type FoundSecretId,
  findByAccessor,
  findSecretId,
  removeExpired,
  removeSecretId,
} from './secret-id-store.ts';

/** Each new secret id takes along some that are over, so that they never pile up. */
const removedWithNew = 4;
const tidySize = 500;
/** What the longest texts may be that anything is done with: Vault's limit. */
const longestSecretId = 4_096;

const secretIdField = { secret_id: 'text' } as const;
const accessorField = { secret_id_accessor: 'text' } as const;

export const secretIdRoutes: readonly Route<AppRoleContext>[] = [
  defineRoute('role/:role_name/secret-id', {
    fields: { ...secretIdFields, after: 'text', limit: 'integer' },
    on: {
      list: listAccessors,
      update: (context, { captures, fields }) =>
        register(context, captures.role_name!, { fields, text: uuid(context.entropy) }),
    },
  }),
  defineRoute('role/:role_name/custom-secret-id', {
    fields: { ...secretIdFields, ...secretIdField },
    on: {
      update: (context, { captures, fields }) =>
        register(context, captures.role_name!, { fields, text: fields.secret_id ?? '' }),
    },
  }),
  defineRoute('role/:role_name/secret-id/lookup', {
    fields: secretIdField,
    on: {
      update: async (context, { captures, fields }) => {
        const find = bySecretId(context, fields);
        const found = await find(context.store, await roleOf(context.store, captures.role_name!));
        return found && { data: describeSecretId(found.secretId) };
      },
    },
  }),
  defineRoute('role/:role_name/secret-id/destroy', {
    fields: secretIdField,
    on: {
      update: (context, { captures, fields }) =>
        destroy(context, captures.role_name!, bySecretId(context, fields)),
      delete: (context, { captures, fields }) =>
        destroy(context, captures.role_name!, bySecretId(context, fields)),
    },
  }),
  defineRoute('role/:role_name/secret-id-accessor/lookup', {
    fields: accessorField,
    on: {
      update: async (context, { captures, fields }) => {
        const find = byAccessor(context, fields);
        const found = await find(context.store, await roleOf(context.store, captures.role_name!));
        if (!found) throw absent(noAccessor(fields));
        return { data: describeSecretId(found.secretId) };
      },
    },
  }),
  defineRoute('role/:role_name/secret-id-accessor/destroy', {
    fields: accessorField,
    on: {
      update: (context, { captures, fields }) => destroyByAccessor(context, captures.role_name!, fields),
      delete: (context, { captures, fields }) => destroyByAccessor(context, captures.role_name!, fields),
    },
  }),
  defineRoute('tidy/secret-id', {
    fields: noFields,
    on: {
      update: async (context) => {
        while ((await removeExpired(context, tidySize)) > 0);
        return undefined;
      },
    },
  }),
];

async function register(
  context: AppRoleContext,
  name: string,
  { fields, text }: { fields: FieldValues<typeof secretIdFields>; text: string },
): Promise<Answer> {
  if (text === '') throw invalidRequest('missing secret_id');
  if (text.length > longestSecretId) {
    throw invalidRequest(`secret_id is longer than maximum of ${longestSecretId} bytes`);
  }
  const secretId = await context.store.change(async (work) => {
    const role = await roleNamed(work, name);
    if (!role) throw absent(`role ${JSON.stringify(name)} does not exist`);
    return addSecretId(context, work, role, { fields, text });
  });
  await removeExpired(context, removedWithNew);
  return {
    data: {
      secret_id: text,
      secret_id_accessor: secretId.accessor,
      secret_id_num_uses: secretId.numUses,
      secret_id_ttl: secretId.ttlMs / 1_000,
    },
  };
}

async function listAccessors(
  { store, nowMs }: AppRoleContext,
  {
    captures,
    fields,
  }: { captures: Readonly<Record<string, string>>; fields: { after?: string; limit?: number } },
): Promise<Answer> {
  const role = await roleNamed(store, captures.role_name!);
  if (!role) throw invalidRequest(`role ${JSON.stringify(captures.role_name)} does not exist`);
  const page = await store.list(`secret-id/${role.uuid}/`, fields);
  const living = page.map(({ value }) => value as SecretId).filter((each) => !isOver(each, nowMs()));
  return { data: { keys: living.map(({ accessor }) => accessor) } };
}

type Find = (work: Pick<Work, 'get'>, role: AppRole) => Promise<FoundSecretId | undefined>;

function bySecretId({ nowMs }: AppRoleContext, { secret_id }: { secret_id?: string }): Find {
  if (!secret_id) throw invalidRequest('missing secret_id');
  return (work, role) => findSecretId(work, role, secretIdHmac(role, secret_id), nowMs());
}

function byAccessor(
  { nowMs }: AppRoleContext,
  { secret_id_accessor }: { secret_id_accessor?: string },
): Find {
  if (!secret_id_accessor) throw invalidRequest('missing secret_id_accessor');
  return (work, role) => findByAccessor(work, role, secret_id_accessor, nowMs());
}

async function destroy({ store }: AppRoleContext, name: string, find: Find): Promise<undefined> {
  await store.change(async (work) => {
    const role = await roleOf(work, name);
    const found = await find(work, role);
    if (found) removeSecretId(work, role, found);
  });
}

async function destroyByAccessor(
  context: AppRoleContext,
  name: string,
  fields: { secret_id_accessor?: string },
): Promise<undefined> {
  const find = byAccessor(context, fields);
  return destroy(context, name, async (work, role) => {
    const found = await find(work, role);
    if (!found) throw failed(noAccessor(fields));
    return found;
  });
}

function noAccessor({ secret_id_accessor }: { secret_id_accessor?: string }): string {
  return `failed to find accessor entry for secret_id_accessor: ${JSON.stringify(secret_id_accessor)}`;
}

async function roleOf(work: Pick<Work, 'get'>, name: string): Promise<AppRole> {
  const role = await roleNamed(work, name);
  if (!role) throw failed(`role ${JSON.stringify(name)} does not exist`);
  return role;
}
