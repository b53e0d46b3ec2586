import type { Log } from '../base/log.ts';
import { type ApiObject, encodeObject, parseObject, sameValue, storedObject } from './api-object.ts';
import {
  cleanupFinalizer,
  type DefinitionSpec,
  type DefinitionVersion,
  decideStatus,
  hasCondition,
  specOf,
  statusOfDefinition,
} from './custom-resource-status.ts';
import { deleteSelected } from './deletion.ts';
import { selectionOf, type View } from './object-view.ts';
import type { Registry } from './registry.ts';
import type { ResourceType, ResourceTypes, ServedVersion } from './resource-type.ts';
import type { ScalePaths } from './scale.ts';
import type { Subresource } from './schema/kinds.ts';
import { applyDefaults, compileSchema, pruneFields } from './schema/structural.ts';

const definitions = { group: 'apiextensions.k8s.io', plural: 'customresourcedefinitions' };
const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

/** The resource that an established definition asks for. */
export function definedType(definition: ApiObject): ResourceType {
  const spec = specOf(definition);
  const names = statusOfDefinition(definition).acceptedNames ?? spec.names;
  const storage = spec.versions.find(({ storage }) => storage)!;
  const served = spec.versions.filter(({ served }) => served);
  return {
    group: spec.group,
    plural: names.plural,
    kind: names.kind,
    namespaced: spec.scope === 'Namespaced',
    custom: true,
    terminating: definition.metadata.deletionTimestamp !== undefined,
    stored: true,
    storage: { group: spec.group, plural: names.plural },
    storedApiVersion: `${spec.group}/${storage.name}`,
    versions: new Map(served.map((version) => [version.name, definedVersion(spec, version)])),
  };
}

function definedVersion(spec: DefinitionSpec, version: DefinitionVersion): ServedVersion {
  const { names, group, scope } = spec;
  const schema = compileSchema(version.schema?.openAPIV3Schema ?? { type: 'object' });
  const subresources: Subresource[] = [];
  if (version.subresources?.status) subresources.push('status');
  if (version.subresources?.scale) subresources.push('scale');
  const apiVersion = `${group}/${version.name}`;
  return {
    info: {
      group,
      version: version.name,
      kind: names.kind,
      listKind: names.listKind ?? `${names.kind}List`,
      plural: names.plural,
      singular: names.singular ?? names.kind.toLowerCase(),
      shortNames: names.shortNames ?? [],
      categories: names.categories ?? [],
      namespaced: scope === 'Namespaced',
      verbs,
      subresources,
      schema,
    },
    apiVersion,
    columns: version.additionalPrinterColumns ?? [],
    selectableFields: (version.selectableFields ?? []).map(({ jsonPath }) => jsonPath.replace(/^\./, '')),
    ...(version.subresources?.scale ? { scale: scalePaths(version.subresources.scale) } : {}),
    ...(version.deprecated
      ? { deprecation: version.deprecationWarning ?? `${apiVersion} ${names.kind} is deprecated` }
      : {}),
  };
}

function scalePaths(paths: Record<string, string>): ScalePaths {
  const plain = (path = '') => path.replace(/^\./, '');
  const { specReplicasPath, statusReplicasPath, labelSelectorPath } = paths;
  return {
    specReplicasPath: plain(specReplicasPath),
    statusReplicasPath: plain(statusReplicasPath),
    ...(labelSelectorPath ? { labelSelectorPath: plain(labelSelectorPath) } : {}),
  };
}

/**
 * Follows CustomResourceDefinitions: accepts their names, serves their kinds, and empties a kind before its
 * definition goes.
 */
export class CustomResources {
  readonly #registry: Registry;
  readonly #types: ResourceTypes;
  readonly #log: Log;
  readonly #schemas = new Map<string, string>();

  constructor({ registry, types, log }: { registry: Registry; types: ResourceTypes; log: Log }) {
    this.#registry = registry;
    this.#types = types;
    this.#log = log;
  }

  /** Serves what is stored, then follows; the answer stops it. */
  async start(): Promise<() => void> {
    const cache = this.#registry.objects.cache(definitions);
    for (const stored of cache.list('')) this.#serve(parseObject(stored));
    const stop = cache.subscribe((change) => {
      if (change.type === 'DELETED') return this.#forget(parseObject(change.object));
      const definition = parseObject(change.object);
      this.#serve(definition);
      void this.#reconcile(change.object.name);
    });
    await Promise.all(cache.list('').map(({ name }) => this.#reconcile(name)));
    return stop;
  }

  #serve(definition: ApiObject): void {
    if (!hasCondition(definition, 'Established')) return;
    const { name } = definition.metadata;
    const terminating = definition.metadata.deletionTimestamp !== undefined;
    const text = JSON.stringify([
      definition['spec'],
      statusOfDefinition(definition).acceptedNames,
      terminating,
    ]);
    const before = this.#schemas.get(name);
    if (before === text) return;
    try {
      const type = definedType(definition);
      this.#types.set(type);
      this.#schemas.set(name, text);
      this.#renew(type, definition);
    } catch (error) {
      // Its schema was checked when it was written, so this is our own fault; the other kinds must go on.
      this.#log.error('a stored definition cannot be served', { definition: name, error: String(error) });
    }
  }

  /** Objects are read as their newest schema says: what it does not know is left out, its defaults are there. */
  #renew({ storage, storedApiVersion }: ResourceType, definition: ApiObject): void {
    const version = specOf(definition).versions.find(({ storage }) => storage)!;
    const schema = compileSchema(version.schema?.openAPIV3Schema ?? { type: 'object' });
    const cache = this.#registry.objects.cache(storage);
    for (const stored of cache.list('')) {
      const object = parseObject(stored);
      const fresh = {
        ...applyDefaults(schema, pruneFields(schema, object)),
        apiVersion: storedApiVersion,
      } as ApiObject;
      if (!sameValue(object, fresh)) cache.replace(storedObject(fresh, encodeObject(fresh), stored.revision));
    }
  }

  #forget(definition: ApiObject): void {
    const { group, names } = specOf(definition);
    this.#types.remove(group, names.plural);
    this.#schemas.delete(definition.metadata.name);
    // A name that it held may be what another definition waits for.
    for (const { name } of this.#registry.objects.cache(definitions).list('')) void this.#reconcile(name);
  }

  async #reconcile(name: string): Promise<void> {
    try {
      const stored = this.#registry.objects.cache(definitions).get(name);
      if (!stored) return;
      if (stored.deleting) await this.#empty(parseObject(stored));
      else await this.#accept(name);
    } catch (error) {
      if (!this.#registry.objects.cache(definitions).get(name)) return;
      this.#log.warn('a definition could not be brought up to date', {
        definition: name,
        error: String(error),
      });
    }
  }

  async #accept(name: string): Promise<void> {
    const { objects, clock } = this.#registry;
    const cache = objects.cache(definitions);
    await objects.locked(definitions, name, async () => {
      const stored = cache.get(name);
      if (!stored || stored.deleting) return;
      const live = parseObject(stored);
      const others = cache.list('').map(parseObject);
      const status = decideStatus(live, others, clock.now());
      if (sameValue(status, live['status'])) return;
      await objects.put(definitions, { ...live, status }, stored);
    });
  }

  /** Deletes every object of the kind; the last one's going lets the definition go. */
  async #empty(definition: ApiObject): Promise<void> {
    const { objects } = this.#registry;
    const { group, names } = specOf(definition);
    const { name, finalizers = [] } = definition.metadata;
    if (!finalizers.includes(cleanupFinalizer)) return;
    const type = this.#types.find(group, names.plural);
    if (type) {
      const view: View = { type, version: [...type.versions.values()][0]! };
      await deleteSelected(this.#registry, view, selectionOf(view, undefined, new URLSearchParams()), {
        dryRun: false,
      });
      const instances = objects.cache(type.storage);
      if (instances.size > 0) {
        const stop = instances.subscribe(({ type }) => {
          if (type !== 'DELETED' || instances.size > 0) return;
          stop();
          void this.#reconcile(name);
        });
        return;
      }
    }
    await objects.locked(definitions, name, async () => {
      const stored = objects.cache(definitions).get(name);
      if (!stored?.deleting) return;
      const live = parseObject(stored);
      const left = (live.metadata.finalizers ?? []).filter((one) => one !== cleanupFinalizer);
      if (left.length === 0) await objects.delete(definitions, stored);
      else
        await objects.put(definitions, { ...live, metadata: { ...live.metadata, finalizers: left } }, stored);
    });
  }
}
