import type { Log } from '../base/log.ts';
import { type ApiObject, type OwnerReference, parseObject, type StoredObject } from './api-object.ts';
import { deleteObject } from './deletion.ts';
import { foregroundFinalizer, orphanFinalizer } from './object-lifecycle.ts';
import type { StorageName } from './object-store.ts';
import type { View } from './object-view.ts';
import { isReleased, type Registry } from './registry.ts';
import type { ResourceType, ResourceTypes } from './resource-type.ts';
import type { Change } from './watch-cache.ts';

interface Node {
  name: StorageName;
  stored: StoredObject;
}

/**
 * Deletes what has lost its owners, and serves deletions that wait for dependents or let them go. Owners count by
 * uid: one that is absent, or in another namespace, is no owner.
 */
export class GarbageCollector {
  readonly #registry: Registry;
  readonly #types: ResourceTypes;
  readonly #log: Log;
  readonly #byUid = new Map<string, Node>();
  /** Owner's uid to the uids of what it owns. */
  readonly #dependents = new Map<string, Set<string>>();
  /** Owners that were seen to go while something still named them. */
  readonly #gone = new Set<string>();
  readonly #queue = new Set<string>();
  #working = false;
  #stopped = false;

  constructor({ registry, types, log }: { registry: Registry; types: ResourceTypes; log: Log }) {
    this.#registry = registry;
    this.#types = types;
    this.#log = log;
  }

  start(): () => void {
    const { objects } = this.#registry;
    const stop = objects.subscribe((name, change) => this.#see(name, change));
    for (const name of objects.names()) {
      for (const stored of objects.cache(name).list('')) {
        this.#index({ name, stored });
        this.#enqueue(stored);
      }
    }
    return () => {
      this.#stopped = true;
      stop();
    };
  }

  #see(name: StorageName, { type, object, previous }: Change): void {
    if (previous) this.#unindex(previous);
    if (type !== 'DELETED') {
      this.#index({ name, stored: object });
      this.#enqueue(object);
      return;
    }
    const owned = this.#dependents.get(object.uid);
    if (owned) this.#gone.add(object.uid);
    for (const uid of owned ?? []) this.#enqueueUid(uid);
    // What waits in the foreground for this dependent may go on.
    for (const owner of object.ownerUids) this.#enqueueUid(owner);
  }

  #index(node: Node): void {
    const { uid, ownerUids } = node.stored;
    this.#byUid.set(uid, node);
    for (const owner of ownerUids) {
      const owned = this.#dependents.get(owner) ?? new Set<string>();
      this.#dependents.set(owner, owned.add(uid));
    }
  }

  #unindex({ uid, ownerUids }: StoredObject): void {
    this.#byUid.delete(uid);
    for (const owner of ownerUids) {
      const owned = this.#dependents.get(owner);
      owned?.delete(uid);
      if (owned?.size !== 0) continue;
      this.#dependents.delete(owner);
      this.#gone.delete(owner);
    }
  }

  #enqueue({ uid, ownerUids, deleting }: StoredObject): void {
    if (ownerUids.length > 0 || deleting) this.#enqueueUid(uid);
  }

  #enqueueUid(uid: string): void {
    this.#queue.add(uid);
    if (this.#working || this.#stopped) return;
    this.#working = true;
    // After the change has been shown to everyone, not within it.
    setImmediate(() => void this.#work());
  }

  async #work(): Promise<void> {
    for (const uid of this.#queue) {
      if (this.#stopped) break;
      this.#queue.delete(uid);
      try {
        await this.#judge(uid);
      } catch (error) {
        if (!this.#byUid.has(uid)) continue;
        this.#log.warn('an object could not be collected', { uid, error: String(error) });
      }
    }
    this.#working = false;
  }

  async #judge(uid: string): Promise<void> {
    const node = this.#byUid.get(uid);
    if (!node) return;
    const object = parseObject(node.stored);
    if (node.stored.deleting) await this.#serveDeletion(node, object);
    else await this.#collect(node, object);
  }

  async #collect(node: Node, object: ApiObject): Promise<void> {
    const references = object.metadata.ownerReferences ?? [];
    if (references.length === 0) return;
    const owners = references.map((reference) => ({ reference, owner: this.#ownerOf(node, reference.uid) }));
    const solid = owners.filter(({ owner, reference }) =>
      owner ? !this.#waitsForDependents(owner) : !this.#isKnownAbsent(node, reference),
    );
    if (solid.length === owners.length) return;
    if (solid.length > 0) {
      // Another owner still wants it: only the references to nothing go.
      const kept = new Set(solid.map(({ reference }) => reference.uid));
      return this.#rewrite(node, (live) => {
        const left = (live.metadata.ownerReferences ?? []).filter((reference) => kept.has(reference.uid));
        return { ...live, metadata: { ...live.metadata, ownerReferences: left } };
      });
    }
    const waiting = owners.some(({ owner }) => owner);
    const { namespace, name, uid } = node.stored;
    const view = this.#view(node);
    if (!view) return;
    await deleteObject(this.#registry, view, namespace || undefined, name, {
      dryRun: false,
      preconditions: { uid },
      // Whoever waits in the foreground waits for the dependents of its dependents as well.
      propagation: waiting ? 'Foreground' : 'Background',
    });
  }

  #ownerOf(node: Node, uid: string): Node | undefined {
    const owner = this.#byUid.get(uid);
    if (!owner) return undefined;
    const { namespace } = owner.stored;
    return namespace === '' || namespace === node.stored.namespace ? owner : undefined;
  }

  /**
   * An owner of a kind that is not served may exist elsewhere, and one in a namespace cannot be looked for from a
   * cluster-scoped object, which names none: neither is a reason to delete anything, unless it was seen to go.
   */
  #isKnownAbsent({ stored }: Node, { apiVersion, kind, uid }: OwnerReference): boolean {
    if (this.#gone.has(uid)) return true;
    const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
    const type = this.#types.byKind(group, kind);
    return type !== undefined && (stored.namespace !== '' || !type.namespaced);
  }

  #waitsForDependents({ stored }: Node): boolean {
    if (!stored.deleting) return false;
    return (parseObject(stored).metadata.finalizers ?? []).includes(foregroundFinalizer);
  }

  async #serveDeletion(node: Node, object: ApiObject): Promise<void> {
    const finalizers = object.metadata.finalizers ?? [];
    const dependents = [...(this.#dependents.get(node.stored.uid) ?? [])].flatMap(
      (uid) => this.#byUid.get(uid) ?? [],
    );
    if (finalizers.includes(orphanFinalizer)) {
      for (const dependent of dependents) {
        await this.#rewrite(dependent, (live) => {
          const references = live.metadata.ownerReferences ?? [];
          const left = references.filter(({ uid }) => uid !== node.stored.uid);
          return { ...live, metadata: { ...live.metadata, ownerReferences: left } };
        });
      }
      await this.#removeFinalizer(node, orphanFinalizer);
    } else if (finalizers.includes(foregroundFinalizer)) {
      const blocking = dependents.filter(({ stored }) => blocks(stored, node.stored.uid));
      if (blocking.length === 0) await this.#removeFinalizer(node, foregroundFinalizer);
      for (const { stored } of dependents) if (!stored.deleting) this.#queue.add(stored.uid);
    }
  }

  #removeFinalizer(node: Node, finalizer: string): Promise<void> {
    return this.#rewrite(node, (live) => {
      const left = (live.metadata.finalizers ?? []).filter((one) => one !== finalizer);
      return { ...live, metadata: { ...live.metadata, finalizers: left } };
    });
  }

  /** Changes stored metadata as the server itself, and lets the object go where nothing holds it any more. */
  async #rewrite({ name, stored }: Node, change: (live: ApiObject) => ApiObject): Promise<void> {
    const { objects } = this.#registry;
    await objects.locked(name, stored.key, async () => {
      const now = objects.cache(name).get(stored.key);
      if (now?.uid !== stored.uid) return;
      const { metadata, ...rest } = change(parseObject(now));
      const { finalizers = [], ownerReferences = [], ...kept } = metadata;
      const next = {
        ...rest,
        metadata: {
          ...kept,
          ...(finalizers.length > 0 ? { finalizers } : {}),
          ...(ownerReferences.length > 0 ? { ownerReferences } : {}),
        },
      } as ApiObject;
      if (isReleased(next)) await objects.delete(name, now);
      else await objects.put(name, next, now);
    });
  }

  #view({ name }: Node): View | undefined {
    const type: ResourceType | undefined = this.#types.find(name.group, name.plural);
    const version = type && [...type.versions.values()][0];
    return type && version && { type, version };
  }
}

function blocks(stored: StoredObject, owner: string): boolean {
  const references = parseObject(stored).metadata.ownerReferences ?? [];
  return references.some(({ uid, blockOwnerDeletion }) => uid === owner && blockOwnerDeletion === true);
}
