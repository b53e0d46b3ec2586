import { type Entropy, uuid } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import type { Log } from '../../base/log.ts';
import { commitIfUnchanged } from '../../store/commit.ts';
import type { Following } from '../../store/following.ts';
import type { Store } from '../../store/store.ts';
import { invalidRequest } from '../faults.ts';
import type { Engine } from '../routing/route.ts';
import { kindOf, listedPath, type Mount, type MountKind } from './mount.ts';

/** Paths that are Vault's own, whether or not there is anything below them here. */
const ownPaths = ['audit/', 'auth/', 'cubbyhole/', 'identity/', 'sys/'];
const tablePrefix = 'mount/';
const fixedPrefix = 'core/fixed-mount/';
/** Changes with every new mount: two nodes that each take a path that is free must not both get it. */
const takenKey = 'mounts-taken';
/** More conflicts than this in a row mean that something else is wrong. */
const attemptLimit = 10;
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
  /** For what the engine keeps in memory; ends with the mount. */
  following: Following;
  /** Calls `end` once nothing answers here any more: the mount is gone, or the server closes. */
  whenItLeaves(end: () => void): void;
}

export type EngineMaker = (view: MountView) => Promise<Engine>;

export interface MountsOptions {
  store: Store;
  following: Following;
  entropy: Entropy;
  log: Log;
  /** By kind and type, what a user may mount. */
  engines: Readonly<Record<MountKind, Readonly<Record<string, EngineMaker>>>>;
  /** What is always there, such as `sys/`; not in the table. */
  fixed: readonly Mounted[];
  /** Ends what was given out below a path, once nothing answers there any more. */
  onLeave?: (path: string) => Promise<void>;
}

/** The mount table. */
export interface Mounts {
  types(kind: MountKind): readonly string[];
  /** The fixed ones included, by path. */
  all(kind: MountKind): Mount[];
  /** The mount that `path` lies below, and the rest of the path. */
  match(path: string): { mounted: Mounted; rest: string } | undefined;
  at(path: string): Mount | undefined;
  /** Whether a mount has not been disabled, by any node. */
  stands(mount: Mount): Promise<boolean>;
  /** @throws Fault `vault.request.invalid` for a path that is taken or not to be had */
  enable(plan: Omit<Mount, 'uuid' | 'accessor'>): Promise<Mount>;
  tune(path: string, change: (mount: Mount) => Mount): Promise<void>;
  /** Removes the mount and then all its data; nothing where there is none. */
  disable(path: string): Promise<void>;
  /** Ends what engines do by themselves. */
  close(): void;
}

interface Row extends Mounted {
  mount: Mount;
  /** 0 until it is written. */
  revision: number;
  /** Ends what its engine follows. */
  leave: () => void;
}

/** Where what is always mounted keeps its names and settings, by type. */
export function fixedMountKey(type: string): string {
  return fixedPrefix + type;
}

export async function openMounts(options: MountsOptions): Promise<Mounts> {
  await finishRemovals(options);
  const table = new MountTable(options);
  options.following.follow([tablePrefix, takenKey, fixedPrefix], () => table.load());
  await table.load();
  return table;
}

class MountTable implements Mounts {
  readonly #options: MountsOptions;
  readonly #rows = new Map<string, Row>();
  readonly #fixed: { mount: Mount; engine: Engine }[];
  /** The revision of `takenKey` that the rows are at least as new as. */
  #taken = 0;
  #loading: Promise<void> = Promise.resolve();

  constructor(options: MountsOptions) {
    this.#options = options;
    this.#fixed = options.fixed.map((mounted) => ({ ...mounted }));
  }

  /** Reads the table anew; rows that have not changed stay, and with them their engines. */
  load(): Promise<void> {
    const read = () => this.#read();
    this.#loading = this.#loading.then(read, read);
    return this.#loading;
  }

  async #read(): Promise<void> {
    const { store } = this.#options;
    const taken = (await store.get(takenKey))?.revision ?? 0;
    for (const fixed of this.#fixed) {
      const entry = await store.get(fixedMountKey(fixed.mount.type));
      if (entry) fixed.mount = { ...(JSON.parse(entry.value.toString()) as Mount), path: fixed.mount.path };
    }
    const entries = await store.list({ prefix: tablePrefix });
    for (const { value, revision } of entries) {
      const mount = JSON.parse(value.toString()) as Mount;
      const row = this.#rows.get(mount.path);
      if (row?.mount.uuid === mount.uuid) {
        if (revision > row.revision) Object.assign(row, { mount, revision });
      } else {
        row?.leave();
        this.#rows.set(mount.path, await this.#openRow(mount, revision));
      }
    }
    const listed = new Set(entries.map(({ key }) => key));
    for (const row of [...this.#rows.values()]) {
      const key = tablePrefix + row.mount.uuid;
      // What was written since the listing is there, though not in it.
      if (row.revision > 0 && !listed.has(key) && !(await store.get(key))) this.#drop(row);
    }
    this.#taken = taken;
  }

  close(): void {
    for (const row of this.#rows.values()) row.leave();
  }

  #drop(row: Row): void {
    const { path } = row.mount;
    if (this.#rows.get(path) === row) this.#rows.delete(path);
    row.leave();
  }

  types(kind: MountKind): readonly string[] {
    return Object.keys(this.#options.engines[kind]);
  }

  all(kind: MountKind): Mount[] {
    return [...this.#fixed, ...this.#rows.values()]
      .map(({ mount }) => mount)
      .filter((mount) => kindOf(mount) === kind)
      .toSorted((a, b) => (a.path < b.path ? -1 : 1));
  }

  at(path: string): Mount | undefined {
    return this.#rows.get(path)?.mount ?? this.#fixedAt(path);
  }

  async stands({ uuid: id }: Mount): Promise<boolean> {
    return (await this.#options.store.get(tablePrefix + id)) !== undefined;
  }

  match(path: string): { mounted: Mounted; rest: string } | undefined {
    // Mounts do not nest, so at most one can hold the path.
    for (const mounted of [...this.#fixed, ...this.#rows.values()]) {
      const { path: start } = mounted.mount;
      if (path.startsWith(start)) return { mounted, rest: path.slice(start.length) };
    }
    return undefined;
  }

  async enable(plan: Omit<Mount, 'uuid' | 'accessor'>): Promise<Mount> {
    const { entropy } = this.#options;
    this.#assertFree(plan.path);
    const mount = { ...plan, uuid: uuid(entropy), accessor: accessorOf(plan, entropy) };
    const row = await this.#openRow(mount, 0);
    this.#assertFree(plan.path);
    // Taken at once, so that of two concurrent calls one is refused.
    this.#rows.set(mount.path, row);
    try {
      row.revision = await this.#claim(row);
    } catch (error) {
      this.#drop(row);
      throw error;
    }
    return mount;
  }

  /** Writes a new mount unless another node has meanwhile taken its path. */
  async #claim(row: Row): Promise<number> {
    const { mount } = row;
    const key = tablePrefix + mount.uuid;
    const puts = [
      { key, value: Buffer.from(JSON.stringify(mount)) },
      { key: takenKey, value: Buffer.from(mount.path) },
    ];
    for (let attempt = 1; ; attempt++) {
      try {
        const expect = [{ key: takenKey, revision: this.#taken }];
        this.#taken = await this.#options.store.commit({ expect, puts });
        return this.#taken;
      } catch (error) {
        if (!isConflict(error) || attempt === attemptLimit) throw error;
        // Only its own: another node's row may stand there already, and must not leave even for a moment.
        if (this.#rows.get(mount.path) === row) this.#rows.delete(mount.path);
        await this.load();
        this.#assertFree(mount.path);
        this.#rows.set(mount.path, row);
      }
    }
  }

  async tune(path: string, change: (mount: Mount) => Mount): Promise<void> {
    if (path === 'auth/token/') return this.#tuneFixed(path, change);
    for (let attempt = 1; ; attempt++) {
      const row = this.#rows.get(path);
      if (!row) {
        throw invalidRequest(
          this.#fixedAt(path)
            ? `cannot tune ${JSON.stringify(path)}`
            : `tune of path "${path}" failed: no mount entry found`,
        );
      }
      const mount = change(row.mount);
      try {
        const revision = await this.#write(mount, row.revision);
        if (revision > row.revision) Object.assign(row, { mount, revision });
        return;
      } catch (error) {
        if (!isConflict(error) || attempt === attemptLimit) throw error;
        await this.load();
      }
    }
  }

  async #tuneFixed(path: string, change: (mount: Mount) => Mount): Promise<void> {
    const fixed = this.#fixed.find(({ mount }) => mount.path === path)!;
    const key = fixedMountKey(fixed.mount.type);
    const { store } = this.#options;
    for (;;) {
      const entry = await store.get(key);
      const mount = change(fixed.mount);
      const puts = [{ key, value: Buffer.from(JSON.stringify(mount)) }];
      if (await commitIfUnchanged(store, { expect: [{ key, revision: entry?.revision ?? 0 }], puts })) {
        fixed.mount = mount;
        return;
      }
      await this.load();
    }
  }

  async disable(path: string): Promise<void> {
    if (this.#fixedAt(path)) throw invalidRequest(`cannot unmount "${path}"`);
    const row = this.#rows.get(path);
    if (!row) return;
    const { uuid: id } = row.mount;
    await this.#options.store.commit({
      puts: [{ key: leavingPrefix + id, value: Buffer.from(path) }],
      deletes: [tablePrefix + id],
    });
    // From here on nothing that is still under way below it can write: its guard is gone.
    this.#drop(row);
    await removeData(this.#options, { id, path });
  }

  #fixedAt(path: string): Mount | undefined {
    return this.#fixed.find(({ mount }) => mount.path === path)?.mount;
  }

  async #openRow(mount: Mount, revision: number): Promise<Row> {
    const make = this.#options.engines[kindOf(mount)][mount.type];
    if (!make) {
      throw new Fault(`the store holds a mount of type ${mount.type}, which this version does not have`, {
        code: 'vault.mount.type',
        blame: 'operator',
        fix: 'run the version that wrote the store',
      });
    }
    const ends: (() => void)[] = [];
    const { following } = this.#options;
    const row = { mount, revision, leave: () => ends.splice(0).forEach((end) => end()) } as Row;
    const view: MountView = {
      prefix: `data/${mount.uuid}/`,
      current: () => row.mount,
      guard: () => ({ key: tablePrefix + mount.uuid, revision: row.revision }),
      following: {
        follow(prefixes, reload) {
          const end = following.follow(prefixes, reload);
          ends.push(end);
          return end;
        },
        fresh: () => following.fresh(),
      },
      whenItLeaves: (end) => void ends.push(end),
    };
    return Object.assign(row, { engine: await make(view) });
  }

  #write(mount: Mount, expected: number): Promise<number> {
    const key = tablePrefix + mount.uuid;
    const value = Buffer.from(JSON.stringify(mount));
    return this.#options.store.commit({ expect: [{ key, revision: expected }], puts: [{ key, value }] });
  }

  #assertFree(path: string): void {
    const others = [...this.#rows.keys()];
    if (kindOf({ path }) === 'auth') {
      others.push(...this.#fixed.map(({ mount }) => mount.path));
    } else if (ownPaths.some((own) => path.startsWith(own))) {
      throw invalidRequest(`cannot mount ${JSON.stringify(path)}`);
    }
    const taken = others.find((other) => other.startsWith(path) || path.startsWith(other));
    if (taken !== undefined) {
      throw invalidRequest(`path is already in use at ${listedPath({ path: taken })}`);
    }
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof Fault && error.code === 'store.conflict';
}

async function finishRemovals(options: MountsOptions): Promise<void> {
  const { store, log } = options;
  for (const { key, value } of await store.list({ prefix: leavingPrefix })) {
    const path = value.toString();
    log.info('removing what is left of a mount', { path });
    await removeData(options, { id: key.slice(leavingPrefix.length), path });
  }
}

async function removeData(
  { store, onLeave }: MountsOptions,
  { id, path }: { id: string; path: string },
): Promise<void> {
  await onLeave?.(path);
  const prefix = `data/${id}/`;
  for (;;) {
    const entries = await store.list({ prefix, limit: removalSize });
    if (entries.length === 0) break;
    await store.commit({ deletes: entries.map(({ key }) => key) });
  }
  await store.commit({ deletes: [leavingPrefix + id] });
}

export function accessorOf({ path, type }: Pick<Mount, 'path' | 'type'>, entropy: Entropy): string {
  const kind = kindOf({ path }) === 'auth' ? 'auth_' : '';
  return `${kind}${type}_${entropy.bytes(4).toString('hex')}`;
}
