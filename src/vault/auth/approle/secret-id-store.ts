import { uuid } from '../../../base/entropy.ts';
import { failed } from '../../faults.ts';
import type { FieldValues } from '../../routing/fields.ts';
import type { Work } from '../method-store.ts';
import { type AppRole, secretIdHmac } from './app-role.ts';
import { type AppRoleContext, keyOf } from './role-store.ts';
import { isOver, planSecretId, type SecretId, type secretIdFields } from './secret-id.ts';

/** A secret id found, with what it is kept under. */
export interface FoundSecretId {
  hmac: string;
  secretId: SecretId;
}

/** Undefined for one that is unknown, over or used up. */
export async function findSecretId(
  work: Pick<Work, 'get'>,
  role: AppRole,
  hmac: string,
  nowMs: number,
): Promise<FoundSecretId | undefined> {
  const secretId = await work.get<SecretId>(keyOf.secretId(role, hmac));
  return secretId && !isOver(secretId, nowMs) ? { hmac, secretId } : undefined;
}

export async function findByAccessor(
  work: Pick<Work, 'get'>,
  role: AppRole,
  accessor: string,
  nowMs: number,
): Promise<FoundSecretId | undefined> {
  const entry = await work.get<{ hmac: string }>(keyOf.accessor(role, accessor));
  return entry && findSecretId(work, role, entry.hmac, nowMs);
}

export async function addSecretId(
  { entropy, nowMs, maxLeaseMs }: AppRoleContext,
  work: Work,
  role: AppRole,
  { fields, text }: { fields: FieldValues<typeof secretIdFields>; text: string },
): Promise<SecretId> {
  const at = { nowMs: nowMs(), maxLeaseMs: maxLeaseMs(), accessor: uuid(entropy) };
  const secretId = planSecretId(fields, role, at);
  const hmac = secretIdHmac(role, text);
  const before = await work.get<SecretId>(keyOf.secretId(role, hmac));
  if (before && !isOver(before, at.nowMs)) {
    throw failed('failed to store secret_id: SecretID is already registered');
  }
  if (before) removeSecretId(work, role, { hmac, secretId: before });
  work.put(keyOf.secretId(role, hmac), secretId);
  work.put(keyOf.accessor(role, secretId.accessor), { hmac });
  if (secretId.expiresMs !== undefined) {
    work.put(keyOf.expiry(role, secretId.expiresMs, hmac), { accessor: secretId.accessor });
  }
  return secretId;
}

export function removeSecretId(
  work: Work,
  role: Pick<AppRole, 'uuid'>,
  { hmac, secretId }: FoundSecretId,
): void {
  work.delete(keyOf.secretId(role, hmac));
  work.delete(keyOf.accessor(role, secretId.accessor));
  if (secretId.expiresMs !== undefined) work.delete(keyOf.expiry(role, secretId.expiresMs, hmac));
}

/** Removes at most `limit` secret ids whose time is over; how many there were. */
export async function removeExpired(
  { store, nowMs }: Pick<AppRoleContext, 'store' | 'nowMs'>,
  limit: number,
): Promise<number> {
  const now = nowMs();
  const page = await store.list('expiry/', { limit });
  const over = page.filter(({ name }) => Number(name.split('/')[0]) <= now);
  if (over.length === 0) return 0;
  await store.change(async (work) => {
    for (const { name, value } of over) {
      const { accessor } = value as { accessor: string };
      const [, role, hmac] = name.split('/') as [string, string, string];
      work.delete(`expiry/${name}`);
      // One that was registered anew has another accessor, and stays.
      const now = await work.get<SecretId>(keyOf.secretId({ uuid: role }, hmac));
      if (now?.accessor === accessor) work.delete(keyOf.secretId({ uuid: role }, hmac));
      work.delete(keyOf.accessor({ uuid: role }, accessor));
    }
  });
  return over.length;
}
