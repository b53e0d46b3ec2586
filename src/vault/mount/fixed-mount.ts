import { type Entropy, uuid } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import type { Store } from '../../store/store.ts';
import type { Mount } from './mount.ts';
import { accessorOf, fixedMountKey } from './mounts.ts';

/** A mount that is always there; its names stay the same from start to start. */
export async function fixedMount(
  { store, entropy }: { store: Store; entropy: Entropy },
  named: Pick<Mount, 'path' | 'type' | 'description'> & Partial<Pick<Mount, 'local'>>,
): Promise<Mount> {
  const key = fixedMountKey(named.type);
  const found = await store.get(key);
  if (found) return { ...(JSON.parse(found.value.toString()) as Mount), ...named };
  const mount: Mount = {
    uuid: uuid(entropy),
    accessor: accessorOf(named, entropy),
    defaultLeaseTtlMs: 0,
    maxLeaseTtlMs: 0,
    forceNoCache: false,
    listingVisibility: '',
    options: null,
    local: false,
    sealWrap: false,
    ...named,
  };
  try {
    const value = Buffer.from(JSON.stringify(mount));
    await store.commit({ expect: [{ key, revision: 0 }], puts: [{ key, value }] });
    return mount;
  } catch (error) {
    // Another node on the same store was quicker.
    const made = error instanceof Fault && error.code === 'store.conflict' ? await store.get(key) : undefined;
    if (made) return JSON.parse(made.value.toString()) as Mount;
    throw error;
  }
}
