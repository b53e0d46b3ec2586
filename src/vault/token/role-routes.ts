import { invalidRequest } from '../faults.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { Answer, Route } from '../routing/route.ts';
import type { LeaseLimits } from './lifetime.ts';
import { describeRole, planRole, roleFields, type TokenRole } from './token-role.ts';
import type { TokenRoles } from './token-roles.ts';

export interface RoleContext {
  roles: TokenRoles;
  limits: () => LeaseLimits;
}

export const roleRoutes: readonly Route<RoleContext>[] = [
  defineRoute('roles', {
    fields: noFields,
    on: { list: async ({ roles }) => ({ data: { keys: await roles.names() } }) },
  }),
  defineRoute('roles/:role_name', {
    fields: roleFields,
    exists: async ({ roles }, { captures }) => (await roles.read(captures.role_name!)) !== undefined,
    on: {
      read: async ({ roles }, { captures }) => {
        const role = await roles.read(captures.role_name!);
        return role && { data: describeRole(role) };
      },
      update: async ({ roles, limits }, { captures, fields }): Promise<Answer | undefined> => {
        let warnings: string[] = [];
        await roles.change(captures.role_name!, (before) => {
          const planned = planRole(captures.role_name!, before, fields);
          warnings = [...planned.warnings, ...longWarnings(planned.role, limits())];
          return planned.role;
        });
        return warnings.length > 0 ? { warnings } : undefined;
      },
      delete: async ({ roles }, { captures }) => {
        await roles.remove(captures.role_name!);
        return undefined;
      },
    },
  }),
];

function longWarnings({ explicitMaxTtlMs }: TokenRole, { maxTtlMs }: LeaseLimits): string[] {
  if (explicitMaxTtlMs <= maxTtlMs) return [];
  return [
    `Given explicit max TTL of ${explicitMaxTtlMs / 1_000} is greater than system/mount allowed value of ` +
      `${maxTtlMs / 1_000} seconds; until this is fixed attempting to create tokens against this role will ` +
      'result in an error',
  ];
}

/** @throws Fault `vault.request.invalid` */
export async function roleNamed(roles: TokenRoles, name: string): Promise<TokenRole> {
  const role = await roles.read(name);
  if (!role) throw invalidRequest(`unknown role ${name}`);
  return role;
}
