import { failed } from '../faults.ts';
import type { Mount } from '../mount/mount.ts';
import { defineRoute } from '../routing/define-route.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import type { Route } from '../routing/route.ts';
import type { RenewalTerms } from '../token/renewal.ts';
import type { Token } from '../token/token.ts';
import { renewalTerms } from './login.ts';
import type { MethodStore } from './method-store.ts';
import { describeTokenSettings, type TokenSettings } from './token-settings.ts';

/** What every method with roles works on. */
export interface RolesContext {
  store: MethodStore;
  mount: () => Mount;
}

export interface RoleKind<Role extends TokenSettings, Fields extends FieldTable> {
  /** `role` of `auth/kubernetes/role/:name`. */
  path: string;
  fields: Fields;
  /**
   * What a role becomes by a request; `before` is undefined for a new one.
   *
   * @throws Fault `vault.request.*` in Vault's words
   */
  merge(
    before: Role | undefined,
    fields: FieldValues<Fields>,
    at: { mount: Mount; name: string },
  ): { role: Role; warnings?: readonly string[] };
  /** As it is read, but for the settings of its tokens. */
  describe(role: Role): Record<string, unknown>;
}

const keyOf = (kind: { path: string }, name: string) => `${kind.path}/${name.toLowerCase()}`;

/** The paths that list, read, write and delete the roles of a method. */
export function namedRoleRoutes<Role extends TokenSettings, Fields extends FieldTable>(
  kind: RoleKind<Role, Fields>,
): readonly Route<RolesContext>[] {
  return [
    defineRoute(kind.path, {
      fields: { after: 'text', limit: 'integer' },
      on: {
        list: async ({ store }, { fields }) => {
          const page = await store.list(`${kind.path}/`, fields);
          return { data: { keys: page.map(({ name }) => name) } };
        },
      },
    }),
    defineRoute(`${kind.path}/:name`, {
      fields: kind.fields,
      on: {
        read: async ({ store }, { captures }) => {
          const role = await store.get<Role>(keyOf(kind, captures.name!));
          return role && { data: { ...describeTokenSettings(role), ...kind.describe(role) } };
        },
        update: async ({ store, mount }, { captures, fields }) => {
          const key = keyOf(kind, captures.name!);
          const warnings = await store.change(async (work) => {
            const at = { mount: mount(), name: captures.name!.toLowerCase() };
            const { role, warnings: raised = [] } = kind.merge(await work.get<Role>(key), fields, at);
            work.put(key, role);
            return raised;
          });
          return warnings.length > 0 ? { warnings } : undefined;
        },
        delete: async ({ store }, { captures }) => {
          await store.change(async (work) => work.delete(keyOf(kind, captures.name!)));
          return undefined;
        },
      },
    }),
  ];
}

/** What a role can be called, as paths take it. */
const roleName = /^\w[\w.-]{0,511}$/;

/** `name` may be any text that a login came with. */
export async function namedRole<Role>(
  store: Pick<MethodStore, 'get'>,
  kind: { path: string },
  name: string,
): Promise<Role | undefined> {
  return roleName.test(name) ? store.get<Role>(keyOf(kind, name)) : undefined;
}

/** Renews by the role that a login came by, as it now is. @throws Fault where it is gone */
export async function renewByRole(
  { store, mount }: RolesContext,
  kind: { path: string },
  { login }: Token,
): Promise<RenewalTerms> {
  const name = String(login!.internal.role);
  const role = await namedRole<TokenSettings>(store, kind, name);
  if (!role) {
    throw failed(`failed to renew entry: role ${JSON.stringify(name)} does not exist during renewal`);
  }
  return renewalTerms(role, mount());
}
