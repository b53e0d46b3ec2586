import type { Entropy } from '../../../base/entropy.ts';
import { failed } from '../../faults.ts';
import type { MethodStore, Work } from '../method-store.ts';
import { type AppRole, digest } from './app-role.ts';

/** Where things are kept, below the mount's own prefix. */
export const keyOf = {
  role: (name: string) => `role/${name}`,
  roleId: (roleId: string) => `role-id/${digest(roleId)}`,
  secretId: (role: Pick<AppRole, 'uuid'>, hmac: string) => `secret-id/${role.uuid}/${hmac}`,
  accessor: (role: Pick<AppRole, 'uuid'>, accessor: string) => `accessor/${role.uuid}/${digest(accessor)}`,
  expiry: (role: Pick<AppRole, 'uuid'>, expiresMs: number, hmac: string) =>
    `expiry/${String(expiresMs).padStart(15, '0')}/${role.uuid}/${hmac}`,
  /** A role that was deleted, whose secret ids are still to be removed. */
  leaving: (role: Pick<AppRole, 'uuid'>) => `leaving/${role.uuid}`,
};

const removalSize = 500;

/** What the paths of an AppRole mount work on. */
export interface AppRoleContext {
  store: MethodStore;
  entropy: Entropy;
  nowMs: () => number;
  maxLeaseMs: () => number;
}

export function roleNamed(work: Pick<Work, 'get'>, name: string): Promise<AppRole | undefined> {
  return work.get<AppRole>(keyOf.role(name.toLowerCase()));
}

/** Writes a role together with the way from its role id to it. @throws Fault where another role has that id */
export async function writeRole(work: Work, role: AppRole, before?: AppRole): Promise<void> {
  const key = keyOf.roleId(role.role_id);
  const holder = await work.get<{ name: string }>(key);
  if (holder && holder.name !== role.name) throw failed('role_id already in use');
  if (before && before.role_id !== role.role_id) work.delete(keyOf.roleId(before.role_id));
  work.put(key, { name: role.name });
  work.put(keyOf.role(role.name), role);
}

/** The role is gone at once; then its secret ids, of however many. */
export async function deleteRole({ store }: AppRoleContext, name: string): Promise<void> {
  const role = await store.change(async (work) => {
    const found = await roleNamed(work, name);
    if (!found) return undefined;
    work.delete(keyOf.role(found.name));
    work.delete(keyOf.roleId(found.role_id));
    work.put(keyOf.leaving(found), {});
    return found;
  });
  if (role) await removeSecretIds(store, role);
}

/** Goes on with removals that a crash cut short. */
export async function finishRemovals(store: MethodStore): Promise<void> {
  for (const { name } of await store.list('leaving/')) await removeSecretIds(store, { uuid: name });
}

async function removeSecretIds(store: MethodStore, role: Pick<AppRole, 'uuid'>): Promise<void> {
  for (const prefix of [`secret-id/${role.uuid}/`, `accessor/${role.uuid}/`]) {
    for (;;) {
      const page = await store.list(prefix, { limit: removalSize });
      if (page.length === 0) break;
      await store.change(async (work) => {
        for (const { name } of page) work.delete(prefix + name);
      });
    }
  }
  await store.change(async (work) => work.delete(keyOf.leaving(role)));
}
