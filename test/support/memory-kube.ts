import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../src/base/clock.ts';
import { Fault } from '../../src/base/fault.ts';
import type { KubeClient, ListOptions, ObjectList, WatchEvent } from '../../src/kube/kube-client.ts';
import { apiVersion, type KubeObject, type Resource } from '../../src/kube/resource.ts';

type Stored = KubeObject & Record<string, unknown>;
type Verb = 'create' | 'replace' | 'replaceStatus' | 'apply' | 'mergePatch' | 'delete';

interface Change {
  version: number;
  object: Stored | undefined;
  previous: Stored | undefined;
}

interface Shelf {
  objects: Map<string, Stored>;
  history: Change[];
  wakeWatchers: () => void;
  changed: Promise<void>;
}

interface FieldOwner {
  manager: string;
  operation: 'Apply';
  apiVersion: string;
  fieldsType: 'FieldsV1';
  fieldsV1: Record<string, unknown>;
}

export interface MemoryKube extends KubeClient {
  /** Every write that was let through, in order: `create certificaterequests web-1`. */
  readonly writes: string[];
  /** Asked before each write; what it throws is the server's answer. */
  beforeWrite: ((verb: Verb, resource: Resource, name: string) => void) | undefined;
}

/**
 * What controllers rely on of an API server, in memory and nothing more: uids, resource versions and conflicts,
 * generations, status apart from the rest, watches with selectors, preconditions, and server-side apply with field
 * ownership of labels, annotations and data. It validates nothing, defaults nothing and collects no garbage.
 */
export function memoryKube(clock: Clock): MemoryKube {
  const shelves = new Map<string, Shelf>();
  let version = 0;

  function shelfOf({ group, plural }: Resource): Shelf {
    const id = `${plural}.${group}`;
    const shelf = shelves.get(id) ?? { objects: new Map(), history: [], ...signal() };
    shelves.set(id, shelf);
    return shelf;
  }

  function write(
    resource: Resource,
    verb: Verb,
    object: Stored | undefined,
    previous: Stored | undefined,
  ): Stored {
    const { name } = (object ?? previous)!.metadata;
    kube.beforeWrite?.(verb, resource, name);
    kube.writes.push(`${verb} ${resource.plural} ${name}`);
    const shelf = shelfOf(resource);
    const key = keyOf((object ?? previous)!.metadata);
    const stored = object && {
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(++version) },
    };
    if (stored) shelf.objects.set(key, stored);
    else {
      version++;
      shelf.objects.delete(key);
    }
    const gone = previous && {
      ...previous,
      metadata: { ...previous.metadata, resourceVersion: String(version) },
    };
    shelf.history.push({ version, object: stored, previous: gone });
    shelf.wakeWatchers();
    Object.assign(shelf, signal());
    return structuredClone(stored ?? previous!);
  }

  function existing(
    resource: Resource,
    { name, namespace }: { name: string; namespace?: string | undefined },
  ): Stored {
    const found = shelfOf(resource).objects.get(keyOf({ name, namespace }));
    if (found) return found;
    throw refusal('not-found', `${resource.plural} "${name}" not found`);
  }

  function update(resource: Resource, given: Stored, verb: 'replace' | 'replaceStatus'): Stored {
    const before = existing(resource, given.metadata);
    const { resourceVersion } = given.metadata;
    if (resourceVersion !== undefined && resourceVersion !== before.metadata.resourceVersion) {
      const message = `Operation cannot be fulfilled on ${resource.plural} "${given.metadata.name}": the object has been modified`;
      throw refusal('conflict', message);
    }
    const after =
      verb === 'replaceStatus'
        ? { ...before, status: given['status'] }
        : disowned(before, { ...given, ...('status' in before ? { status: before['status'] } : {}) });
    return store(resource, verb, before, structuredClone(after));
  }

  /** Writes what has changed; a write without a change is none. */
  function store(resource: Resource, verb: Verb, before: Stored, after: Stored): Stored {
    const fixed = ['uid', 'creationTimestamp', 'resourceVersion', 'generation'] as const;
    const metadata = { ...after.metadata, ...pick(before.metadata, fixed) };
    if (!isDeepStrictEqual(before['spec'], after['spec']))
      metadata.generation = (before.metadata.generation ?? 1) + 1;
    const next = { ...after, metadata };
    return isDeepStrictEqual(before, next) ? structuredClone(before) : write(resource, verb, next, before);
  }

  const kube: MemoryKube = {
    writes: [],
    beforeWrite: undefined,
    async get<T extends KubeObject>(resource: Resource, name: string, namespace?: string) {
      const found = shelfOf(resource).objects.get(keyOf({ name, namespace }));
      return found && (structuredClone(found) as unknown as T);
    },
    async list<T extends KubeObject>(resource: Resource, options: ListOptions = {}): Promise<ObjectList<T>> {
      const items = [...shelfOf(resource).objects.values()].filter(selector(options));
      return { items: structuredClone(items) as unknown as T[], resourceVersion: String(version) };
    },
    watch<T extends KubeObject>(
      resource: Resource,
      options: ListOptions & { resourceVersion: string; signal: AbortSignal },
    ) {
      return follow(shelfOf(resource), options) as AsyncIterable<WatchEvent<T>>;
    },
    async create<T extends KubeObject>(resource: Resource, object: T) {
      const { status: _, ...given } = structuredClone(object) as unknown as Stored;
      if (shelfOf(resource).objects.has(keyOf(given.metadata))) {
        throw refusal('already-exists', `${resource.plural} "${given.metadata.name}" already exists`);
      }
      const metadata = {
        ...given.metadata,
        uid: `uid-${version + 1}`,
        generation: 1,
        creationTimestamp: `${new Date(clock.now()).toISOString().slice(0, 19)}Z`,
      };
      return write(resource, 'create', { ...given, metadata }, undefined) as unknown as T;
    },
    async replace<T extends KubeObject>(resource: Resource, object: T) {
      return update(resource, object as unknown as Stored, 'replace') as unknown as T;
    },
    async replaceStatus<T extends KubeObject>(resource: Resource, object: T) {
      return update(resource, object as unknown as Stored, 'replaceStatus') as unknown as T;
    },
    async apply<T extends KubeObject>(
      resource: Resource,
      object: KubeObject & Record<string, unknown>,
      { manager }: { manager: string },
    ) {
      const before = shelfOf(resource).objects.get(keyOf(object.metadata));
      const after = applied(before, structuredClone(object), manager, apiVersion(resource));
      if (before) return store(resource, 'apply', before, after) as unknown as T;
      const metadata = {
        ...after.metadata,
        uid: `uid-${version + 1}`,
        creationTimestamp: `${new Date(clock.now()).toISOString().slice(0, 19)}Z`,
      };
      return write(resource, 'apply', { ...after, metadata }, undefined) as unknown as T;
    },
    async mergePatch<T extends KubeObject>(
      resource: Resource,
      at: { name: string; namespace?: string; subresource?: string },
      patch: unknown,
    ) {
      const before = existing(resource, at);
      const after = merged(before, patch) as Stored;
      return store(resource, 'mergePatch', before, disowned(before, after)) as unknown as T;
    },
    async delete(resource: Resource, name: string, namespace?: string, preconditions: { uid?: string } = {}) {
      const before = shelfOf(resource).objects.get(keyOf({ name, namespace }));
      if (!before) return false;
      if (preconditions.uid !== undefined && preconditions.uid !== before.metadata.uid) {
        throw refusal('conflict', `the UID in the precondition is not that of ${resource.plural} "${name}"`);
      }
      write(resource, 'delete', undefined, before);
      return true;
    },
    ask: (path: string) => Promise.reject(refusal('not-found', `${path} is not served here`)),
    close() {},
  };
  return kube;
}

async function* follow(
  shelf: Shelf,
  options: ListOptions & { resourceVersion: string; signal: AbortSignal },
): AsyncGenerator<WatchEvent<Stored>> {
  const selects = selector(options);
  const aborted = new Promise<void>((resolve) => {
    if (options.signal.aborted) resolve();
    options.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  let seen = Number(options.resourceVersion);
  while (!options.signal.aborted) {
    const { changed } = shelf;
    const first = shelf.history.findLastIndex(({ version }) => version <= seen) + 1;
    for (const { version, object, previous } of shelf.history.slice(first)) {
      seen = version;
      const [is, was] = [
        object !== undefined && selects(object),
        previous !== undefined && selects(previous),
      ];
      if (is) yield { type: was ? 'MODIFIED' : 'ADDED', object: structuredClone(object!) };
      else if (was) yield { type: 'DELETED', object: structuredClone(object ?? previous!) };
      if (options.signal.aborted) return;
    }
    await Promise.race([changed, aborted]);
  }
}

function signal(): Pick<Shelf, 'changed' | 'wakeWatchers'> {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { changed: promise, wakeWatchers: resolve };
}

/** `key=value` for labels, `metadata.name=value` for fields: what controllers here use. */
function selector({ namespace, labelSelector, fieldSelector }: ListOptions): (object: Stored) => boolean {
  const [label, labelValue] = labelSelector?.split('=') ?? [];
  const [field, fieldValue] = fieldSelector?.split('=') ?? [];
  if (field !== undefined && field !== 'metadata.name')
    throw new Error(`field selector ${field} is not served`);
  return ({ metadata }) =>
    (namespace === undefined || metadata.namespace === namespace) &&
    (label === undefined || metadata.labels?.[label] === labelValue) &&
    (field === undefined || metadata.name === fieldValue);
}

/** The maps whose members have owners, with their place in fieldsV1. */
const ownedMaps = [
  { at: ['f:metadata', 'f:labels'], of: (object: Stored) => object.metadata.labels },
  { at: ['f:metadata', 'f:annotations'], of: (object: Stored) => object.metadata.annotations },
  { at: ['f:data'], of: (object: Stored) => object['data'] as Record<string, string> | undefined },
] as const;

/** `live` with `wanted` applied: its members set, and those that the same manager applied before and left out now gone. */
function applied(live: Stored | undefined, wanted: Stored, manager: string, version: string): Stored {
  const owners = (live?.metadata.managedFields ?? []) as FieldOwner[];
  const mine = owners.find((owner) => owner.manager === manager);
  const combined = ownedMaps.map((map) => {
    const keep = Object.entries((live && map.of(live)) ?? {}).filter(
      ([key]) => !ownedKeys(mine, map.at).includes(key) || Object.hasOwn(map.of(wanted) ?? {}, key),
    );
    return { ...Object.fromEntries(keep), ...map.of(wanted) };
  });
  const [labels, annotations, data] = combined;
  const entry: FieldOwner = {
    manager,
    operation: 'Apply',
    apiVersion: version,
    fieldsType: 'FieldsV1',
    fieldsV1: fieldSet(wanted),
  };
  return {
    ...live,
    ...wanted,
    metadata: {
      ...live?.metadata,
      ...wanted.metadata,
      labels,
      annotations,
      managedFields: [...owners.filter((owner) => owner.manager !== manager), entry],
    } as KubeObject['metadata'],
    data,
  };
}

/** `after` without the ownership of members that an update changed or removed: they belong to whoever updated. */
function disowned(before: Stored, after: Stored): Stored {
  const owners = structuredClone((before.metadata.managedFields ?? []) as FieldOwner[]);
  for (const owner of owners) {
    for (const map of ownedMaps) {
      const fields = map.at.reduce<Record<string, unknown> | undefined>(
        (inner, step) => inner?.[step] as Record<string, unknown> | undefined,
        owner.fieldsV1,
      );
      for (const key of ownedKeys(owner, map.at)) {
        if (map.of(before)?.[key] !== map.of(after)?.[key]) delete fields![`f:${key}`];
      }
    }
  }
  return owners.length === 0 ? after : { ...after, metadata: { ...after.metadata, managedFields: owners } };
}

function fieldSet(object: Stored): Record<string, unknown> {
  const members = (map: Record<string, string> | undefined) =>
    Object.fromEntries(Object.keys(map ?? {}).map((key) => [`f:${key}`, {}]));
  return {
    'f:metadata': {
      'f:labels': members(object.metadata.labels),
      'f:annotations': members(object.metadata.annotations),
    },
    'f:data': members(object['data'] as Record<string, string> | undefined),
    'f:type': {},
  };
}

function ownedKeys(owner: FieldOwner | undefined, at: readonly string[]): string[] {
  const fields = at.reduce<Record<string, unknown> | undefined>(
    (inner, step) => inner?.[step] as Record<string, unknown> | undefined,
    owner?.fieldsV1,
  );
  return Object.keys(fields ?? {}).map((key) => key.slice(2));
}

/** JSON merge patch (RFC 7396). */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return structuredClone(patch);
  const result: Record<string, unknown> = { ...(target as Record<string, unknown> | undefined) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}

function pick<T extends object, K extends keyof T>(object: T, names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(
    names.filter((name) => object[name] !== undefined).map((name) => [name, object[name]]),
  ) as Pick<T, K>;
}

function keyOf({ name, namespace }: { name: string; namespace?: string | undefined }): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function refusal(reason: string, message: string): Fault {
  return new Fault(message, { code: `kube.${reason}`, blame: 'caller' });
}
