import { describeError, Fault } from '../../base/fault.ts';
import { absent, failed } from '../faults.ts';
import { describeManagedKey, type ManagedKey, managedKeyFields } from '../managed-keys/managed-key.ts';
import type { ManagedKeys } from '../managed-keys/managed-keys.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { Captures, Route } from '../routing/route.ts';

/** Keys in HSMs, for engines to sign with: Vault Enterprise's managed keys. */
export const managedKeyRoutes: readonly Route<{ managedKeys: ManagedKeys }>[] = [
  defineRoute('managed-keys/pkcs11', {
    fields: noFields,
    dataAtTop: true,
    on: { list: ({ managedKeys }) => ({ data: { keys: managedKeys.all().map(({ name }) => name) } }) },
  }),
  defineRoute('managed-keys/pkcs11/:name', {
    fields: managedKeyFields,
    dataAtTop: true,
    on: {
      read: ({ managedKeys }, { captures }) => {
        const key = find(managedKeys, captures);
        return key && { data: describeManagedKey(key) };
      },
      update: async ({ managedKeys }, { captures, fields }) => {
        await managedKeys.put(nameOf(captures), fields);
        return undefined;
      },
      delete: async ({ managedKeys }, { captures }) => {
        await managedKeys.delete(nameOf(captures));
        return undefined;
      },
    },
  }),
  defineRoute('managed-keys/pkcs11/:name/test/sign', {
    fields: noFields,
    on: {
      update: async ({ managedKeys }, { captures }) => {
        const key = find(managedKeys, captures);
        if (!key) throw absent(`no managed key found with name ${nameOf(captures)}`);
        await tellingWhy(() => managedKeys.test(key));
        return undefined;
      },
    },
  }),
];

function nameOf({ name }: Captures): string {
  return name!.toLowerCase();
}

function find(managedKeys: ManagedKeys, captures: Captures): ManagedKey | undefined {
  return managedKeys.all().find(({ name }) => name === nameOf(captures));
}

/** Who may try a key is who sets it up: here the reason is told, not only logged. */
async function tellingWhy(act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'vault.managed-key.away') throw error;
    throw failed(describeError(error), error);
  }
}
