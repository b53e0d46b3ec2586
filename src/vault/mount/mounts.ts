import { type Entropy, uuid } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import type { Log } from '../../base/log.ts';
import type { Store } from '../../store/store.ts';
import { invalidRequest } from '../faults.ts';
import type { Engine } from '../routing/route.ts';
import type { Mount } from './mount.ts';

const tablePrefix = 'mount/';
/** Mounts whose data is being removed: finished at the next start where a crash came between. */
const leavingPrefix = 'unmounting/';
const removalSize = 500;

/** A mount with the engine that answers below it. */
export interface Mounted {
  readonly mount: Mount;
  readonly engine: Engine;
}

/** A mount as its engine sees it. */
export interface MountView {
  /** Where in the store its data lives. */
  prefix: string;
  /** As it is now: a tune changes it. */
  current(): Mount;
  /** What must hold in the store for a write of the engine to count: that the mount is still there as it is. */
  guard(): { key: string; revision: number };
}

export type EngineMaker = (view: MountView) => Promise<Engine>;

export interface MountsOptions {
  store: Store;
  entropy: Entropy;
  log: Log;
  /** By type, what a user may mount. */
  engines: Readonly<Record<string, EngineMaker>>;
  /** What is always there, such as `sys/`; not in the table. */
  fixed: readonly Mounted[];
}

/** The mount table. */
export interface Mounts {
  types: readonly string[];
  /** Those that a user made, by path. */
  all(): Mount[];
  /** The mount that `path` lies below, and the rest of the path. */
  match(path: string): { mounted: Mounted; rest: string } | undefined;
  at(path: string): Mount | undefined;
  /** @throws Fault `vault.mount.taken` */
  enable(plan: Omit<Mount, 'uuid' | 'accessor'>): Promise<Mount>;
  tune(path: string, change: (mount: Mount) => Mount): Promise<void>;
  /** Removes the mount and then all its data; nothing where there is none. */
  disable(path: string): Promise<void>;
}

interface Row extends Mounted {
  mount: Mount;
  revision: number;
}

export async function openMounts(options: MountsOptions): Promise<Mounts> {
  const { store, entropy, engines, fixed } = options;
  const rows = new Map<string, Row>();
  await finishRemovals(options);
  for (const { value, revision } of await store.list({ prefix: tablePrefix })) {
    const mount = JSON.parse(value.toString()) as Mount;
    rows.set(mount.path, await openRow(mount, revision));
  }

  async function openRow(mount: Mount, revision: number): Promise<Row> {
    const make = engines[mount.type];
    if (!make) {
      throw new Fault(`the store holds a mount of type ${mount.type}, which this version does not have`, {
        code: 'vault.mount.type',
        blame: 'operator',
        fix: 'run the version that wrote the store',
      });
    }
    const row = { mount, revision } as Row;
    const view: MountView = {
      prefix: `data/${mount.uuid}/`,
      current: () => row.mount,
      guard: () => ({ key: tablePrefix + mount.uuid, revision: row.revision }),
    };
    return Object.assign(row, { engine: await make(view) });
  }

  function write(mount: Mount, expected: number): Promise<number> {
    const key = tablePrefix + mount.uuid;
    const value = Buffer.from(JSON.stringify(mount));
    return store.commit({ expect: [{ key, revision: expected }], puts: [{ key, value }] });
  }

  function assertFree(path: string): void {
    for (const taken of [...rows.keys(), ...fixed.map(({ mount }) => mount.path), 'auth/']) {
      if (!taken.startsWith(path) && !path.startsWith(taken)) continue;
      throw new Fault(`path is already in use at ${taken}`, {
        // Vault tells a clash with its own paths apart.
        code: rows.has(taken) ? 'vault.mount.taken' : 'vault.request.invalid',
        blame: 'caller',
      });
    }
  }

  return {
    types: Object.keys(engines),
    all: () => [...rows.values()].map(({ mount }) => mount).toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    at: (path) => rows.get(path)?.mount ?? fixed.find(({ mount }) => mount.path === path)?.mount,
    match(path) {
      // Mounts do not nest, so at most one can hold the path.
      for (const mounted of [...fixed, ...rows.values()]) {
        const { path: start } = mounted.mount;
        if (path.startsWith(start)) return { mounted, rest: path.slice(start.length) };
      }
      return undefined;
    },
    async enable(plan) {
      assertFree(plan.path);
      const mount = { ...plan, uuid: uuid(entropy), accessor: accessorOf(plan.type, entropy) };
      const row = await openRow(mount, 0);
      assertFree(plan.path);
      // Taken at once, so that of two concurrent calls one is refused.
      rows.set(mount.path, row);
      try {
        row.revision = await write(mount, 0);
      } catch (error) {
        rows.delete(mount.path);
        throw error;
      }
      return mount;
    },
    async tune(path, change) {
      const row = rows.get(path);
      if (!row) {
        const fixedOne = fixed.some(({ mount }) => mount.path === path);
        throw invalidRequest(
          fixedOne ? `cannot tune ${path}` : `tune of path "${path}" failed: no mount entry found`,
        );
      }
      const mount = change(row.mount);
      row.revision = await write(mount, row.revision);
      row.mount = mount;
    },
    async disable(path) {
      if (fixed.some(({ mount }) => mount.path === path)) throw invalidRequest(`cannot unmount "${path}"`);
      const row = rows.get(path);
      if (!row) return;
      rows.delete(path);
      const { uuid: id } = row.mount;
      await store.commit({
        puts: [{ key: leavingPrefix + id, value: Buffer.from(path) }],
        deletes: [tablePrefix + id],
      });
      await removeData(store, id);
    },
  };
}

async function finishRemovals({ store, log }: MountsOptions): Promise<void> {
  for (const { key, value } of await store.list({ prefix: leavingPrefix })) {
    log.info('removing what is left of a mount', { path: value.toString() });
    await removeData(store, key.slice(leavingPrefix.length));
  }
}

async function removeData(store: Store, id: string): Promise<void> {
  const prefix = `data/${id}/`;
  for (;;) {
    const entries = await store.list({ prefix, limit: removalSize });
    if (entries.length === 0) break;
    await store.commit({ deletes: entries.map(({ key }) => key) });
  }
  await store.commit({ deletes: [leavingPrefix + id] });
}

export function accessorOf(type: string, entropy: Entropy): string {
  return `${type}_${entropy.bytes(4).toString('hex')}`;
}
