import { failed, invalidRequest } from '../../faults.ts';
import type { Mount } from '../../mount/mount.ts';
import { defineRoute } from '../../routing/define-route.ts';
import type { Route } from '../../routing/route.ts';
import { isWithin, readCidrs } from '../../token/bound-cidrs.ts';
import type { RenewalTerms } from '../../token/renewal.ts';
import type { Token } from '../../token/token.ts';
import { type LoginDesk, type LoginGrant, renewalTerms } from '../login.ts';
import type { Work } from '../method-store.ts';
import { type AppRole, secretIdHmac } from './app-role.ts';
import { type AppRoleContext, keyOf, roleNamed } from './role-store.ts';
import { afterUse, checkOrigin, type SecretId } from './secret-id.ts';
import { findSecretId, removeSecretId } from './secret-id-store.ts';

export interface AppRoleLoginContext extends AppRoleContext {
  mount: () => Mount;
  desk: LoginDesk;
  /** Stands in for a role that is not there: what a login asks of it takes as long, and finds nothing. */
  decoy: AppRole;
}

export const loginRoutes: readonly Route<AppRoleLoginContext>[] = [
  defineRoute('login', {
    fields: { role_id: 'text', secret_id: 'text' },
    open: true,
    on: {
      update: async (context, { fields, path, origin }) => {
        const credentials = {
          roleId: fields.role_id?.trim() ?? '',
          secretId: fields.secret_id?.trim() ?? '',
          address: origin.remoteAddress,
        };
        const grant = await context.store.change((work) => admit(context, work, credentials));
        return context.desk(grant, { mount: context.mount(), path });
      },
    },
  }),
];

interface Credentials {
  roleId: string;
  secretId: string;
  address: string;
}

/** Who logs in is told no more than that role and secret id do not fit. */
async function admit(
  { nowMs, decoy }: AppRoleLoginContext,
  work: Work,
  { roleId, secretId: text, address }: Credentials,
): Promise<LoginGrant> {
  if (roleId === '') throw invalidRequest('missing role_id');
  const index = await work.get<{ name: string }>(keyOf.roleId(roleId));
  const role = (await roleNamed(work, index?.name ?? decoy.name)) ?? decoy;
  const secretId = role.bind_secret_id
    ? await spend(work, role, text, { nowMs: nowMs(), address })
    : undefined;
  if (role.secret_id_bound_cidrs?.length && !isWithin(role.secret_id_bound_cidrs, address)) {
    throw invalidRequest(
      `source address ${JSON.stringify(address)} unauthorized by CIDR restrictions on the role`,
    );
  }
  const bound = secretId?.tokenBoundCidrs.length ? readCidrs(secretId.tokenBoundCidrs) : undefined;
  return {
    displayName: '',
    metadata: { ...secretId?.metadata, role_name: role.name },
    internal: { role_name: role.name },
    settings: { ...role, ...(bound ? { token_bound_cidrs: bound } : {}) },
  };
}

async function spend(
  work: Work,
  role: AppRole,
  text: string,
  { nowMs, address }: { nowMs: number; address: string },
): Promise<SecretId> {
  if (text === '') throw invalidRequest('missing secret_id');
  const found = await findSecretId(work, role, secretIdHmac(role, text), nowMs);
  if (!found) throw invalidRequest('invalid role or secret ID');
  checkOrigin(found.secretId, role, address);
  const left = afterUse(found.secretId, nowMs);
  if (left === 'used up') removeSecretId(work, role, found);
  else if (left !== found.secretId) work.put(keyOf.secretId(role, found.hmac), left);
  return found.secretId;
}

/** @throws Fault where the role that a token came from is gone */
export async function renew(
  { store, mount }: Pick<AppRoleLoginContext, 'store' | 'mount'>,
  { login }: Token,
): Promise<RenewalTerms> {
  const name = String(login!.internal.role_name);
  const role = await roleNamed(store, name);
  if (!role) {
    throw failed(`failed to renew entry: role ${JSON.stringify(name)} does not exist during renewal`);
  }
  return renewalTerms(role, mount());
}
