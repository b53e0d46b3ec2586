import type { Log } from '../base/log.ts';
import { type ApiObject, parseObject, type StoredObject, sameValue } from './api-object.ts';
import { deleteSelected } from './deletion.ts';
import { type Remaining, withDeletionConditions } from './namespace-conditions.ts';
import { selectionOf, type View } from './object-view.ts';
import { isReleased, type Registry } from './registry.ts';
import type { ResourceType, ResourceTypes } from './resource-type.ts';

const namespaces = { group: '', plural: 'namespaces' };

/**
 * Empties namespaces that are being deleted, then lets them go. Level-triggered: every change inside a terminating
 * namespace (a finalizer done at last) has it looked at again.
 */
export class NamespaceLifecycle {
  readonly #registry: Registry;
  readonly #types: ResourceTypes;
  readonly #log: Log;
  /** Namespaces being emptied, and whether to look again afterwards. */
  readonly #busy = new Map<string, boolean>();

  constructor({ registry, types, log }: { registry: Registry; types: ResourceTypes; log: Log }) {
    this.#registry = registry;
    this.#types = types;
    this.#log = log;
  }

  start(): () => void {
    const { objects } = this.#registry;
    const cache = objects.cache(namespaces);
    const stop = objects.subscribe((name, { type, object }) => {
      const own = name.group === '' && name.plural === 'namespaces';
      if (own && type !== 'DELETED' && object.deleting) this.#enqueue(object.name);
      else if (type === 'DELETED' && object.namespace && cache.get(object.namespace)?.deleting) {
        this.#enqueue(object.namespace);
      }
    });
    for (const { name, deleting } of cache.list('')) if (deleting) this.#enqueue(name);
    return stop;
  }

  #enqueue(name: string): void {
    const idle = !this.#busy.has(name);
    this.#busy.set(name, !idle);
    if (idle) void this.#empty(name);
  }

  async #empty(name: string): Promise<void> {
    try {
      for (const type of inDeletionOrder(this.#types.stored())) await this.#deleteAll(type, name);
      const left = this.#remaining(name);
      if (left.length === 0) await this.#finish(name);
      else await this.#report(name, left);
    } catch (error) {
      this.#log.warn('a namespace could not be emptied', { namespace: name, error: String(error) });
    }
    const again = this.#busy.get(name);
    this.#busy.delete(name);
    if (again) this.#enqueue(name);
  }

  async #deleteAll(type: ResourceType, namespace: string): Promise<void> {
    if (!type.namespaced) return;
    if (this.#registry.objects.cache(type.storage).list(`${namespace}/`).length === 0) return;
    const version = [...type.versions.values()][0];
    if (!version) return;
    const view: View = { type, version };
    const everything = selectionOf(view, namespace, new URLSearchParams());
    const fresh = {
      ...everything,
      matches: (object: StoredObject) => !object.deleting && everything.matches(object),
    };
    await deleteSelected(this.#registry, view, fresh, { dryRun: false, propagation: 'Background' });
  }

  #remaining(namespace: string): Remaining[] {
    const { objects } = this.#registry;
    return this.#types
      .stored()
      .filter(({ namespaced }) => namespaced)
      .map((type) => ({ type, objects: objects.cache(type.storage).list(`${namespace}/`) }))
      .filter(({ objects }) => objects.length > 0);
  }

  /** Says in the namespace's status what it still waits for. */
  async #report(name: string, remaining: readonly Remaining[]): Promise<void> {
    const { objects, clock } = this.#registry;
    await objects.locked(namespaces, name, async () => {
      const stored = objects.cache(namespaces).get(name);
      if (!stored?.deleting) return;
      const live = parseObject(stored);
      const status = withDeletionConditions(live['status'], remaining, clock.now());
      if (!sameValue(status, live['status'])) await objects.put(namespaces, { ...live, status }, stored);
    });
  }

  /** Takes the namespace's own finalizer away, and the namespace with it where nothing else holds it. */
  async #finish(name: string): Promise<void> {
    const { objects } = this.#registry;
    await objects.locked(namespaces, name, async () => {
      const stored = objects.cache(namespaces).get(name);
      if (!stored?.deleting) return;
      const live = parseObject(stored);
      const released: ApiObject = { ...live, spec: withoutFinalizer(live) };
      if (isReleased(released)) await objects.delete(namespaces, stored);
      else if (finalizersOf(live).length > 0) await objects.put(namespaces, released, stored);
    });
  }
}

function finalizersOf({ spec }: ApiObject): string[] {
  return ((spec as { finalizers?: string[] } | undefined)?.finalizers ?? []).filter(
    (one) => one === 'kubernetes',
  );
}

function withoutFinalizer({ spec }: ApiObject): Record<string, unknown> {
  const { finalizers = [], ...rest } = (spec ?? {}) as { finalizers?: string[] };
  const left = finalizers.filter((one) => one !== 'kubernetes');
  return left.length > 0 ? { ...rest, finalizers: left } : rest;
}

/** Pods first: nothing should run in a namespace that has already lost its secrets and accounts. */
function inDeletionOrder(types: readonly ResourceType[]): ResourceType[] {
  return types.toSorted((a, b) => Number(b.plural === 'pods') - Number(a.plural === 'pods'));
}
