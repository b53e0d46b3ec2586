import type { Clock } from '../base/clock.ts';
import type { Entropy } from '../base/entropy.ts';
import { admit, applyManaged, trackManager, withSoundMetadata } from './admission.ts';
import {
  type ApiObject,
  encodeObject,
  objectKey,
  parseObject,
  rfc3339,
  type StoredObject,
  sameValue,
  storedObject,
} from './api-object.ts';
import {
  generateName,
  keepIdentity,
  keepOtherSubresource,
  nextGeneration,
  stampNew,
  withoutEarlyStatus,
} from './object-lifecycle.ts';
import type { ObjectStore } from './object-store.ts';
import { toStored, type View, viewObject } from './object-view.ts';
import {
  alreadyExists,
  badRequest,
  conflict,
  forbidden,
  invalid,
  methodNotAllowed,
  notFound,
  StatusFault,
} from './status-errors.ts';

/** How a write is to be done, from its query parameters and whoever sends it. */
export interface WriteOptions {
  /** Field manager: whose fields these become. */
  manager: string;
  /** Do everything but commit. */
  dryRun: boolean;
  fieldValidation: 'Ignore' | 'Warn' | 'Strict';
  warn: (message: string) => void;
  subresource?: string;
  /** The last word on what is about to be written; throws where it must not be. */
  approve?: (next: ApiObject) => void;
}

export interface Written {
  stored: StoredObject;
  created: boolean;
}

/** What a write works on: a body as decoded, and the fields that stood twice in it. */
export interface Submitted {
  object: ApiObject;
  duplicateFields: readonly string[];
}

const generateAttempts = 8;

/**
 * Creating and changing objects of any kind: decide on what is stored, check, commit, then answer. Writers of one
 * object take turns, so a decision never has to be taken twice.
 */
export class Registry {
  readonly objects: ObjectStore;
  readonly clock: Clock;
  readonly entropy: Entropy;

  constructor({ objects, clock, entropy }: { objects: ObjectStore; clock: Clock; entropy: Entropy }) {
    this.objects = objects;
    this.clock = clock;
    this.entropy = entropy;
  }

  /** @throws StatusFault NotFound */
  find(view: View, namespace: string | undefined, name: string): StoredObject {
    const stored = this.objects.cache(view.type.storage).get(objectKey(namespace, name));
    if (!stored) throw notFound(view.type, name);
    return stored;
  }

  async create(
    view: View,
    namespace: string | undefined,
    { object: given, duplicateFields }: Submitted,
    options: WriteOptions,
  ): Promise<Written> {
    const object = withSoundMetadata(view.version.info, given);
    checkNamespace(namespace, object);
    if (object.metadata.resourceVersion) {
      throw badRequest('resourceVersion should not be set on objects to be created');
    }
    this.#admitNew(view, namespace, object.metadata.name || (object.metadata.generateName ?? ''));
    const admitted = this.#admitted(view, namespace, { object, duplicateFields }, options);
    const tracked = this.#track(view, undefined, admitted, options);
    const generated = !object.metadata.name && object.metadata.generateName;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#insert(view, tracked, options);
      } catch (error) {
        const taken = error instanceof StatusFault && error.status.reason === 'AlreadyExists';
        if (!taken || !generated || attempt >= generateAttempts) throw error;
        tracked.metadata.name = generateName(generated, this.entropy);
      }
    }
  }

  /** A new object as it is let in. */
  #admitted(
    view: View,
    namespace: string | undefined,
    { object, duplicateFields }: Submitted,
    options: WriteOptions,
  ): ApiObject {
    const stamp = { namespace, nowMs: this.clock.now(), entropy: this.entropy };
    const stamped = stampNew(view.type, withoutEarlyStatus(view, object), stamp);
    return admit(view, stamped, undefined, duplicateFields, options);
  }

  #insert(view: View, object: ApiObject, { dryRun, approve }: WriteOptions): Promise<Written> {
    const { type } = view;
    approve?.(object);
    const key = objectKey(object.metadata.namespace, object.metadata.name);
    return this.objects.locked(type.storage, key, async () => {
      if (this.objects.cache(type.storage).get(key)) throw alreadyExists(type, object.metadata.name);
      const next = toStored(view, object);
      const stored = dryRun ? unsaved(next) : await this.objects.put(type.storage, next, undefined);
      return { stored, created: true };
    });
  }

  /** PUT: the whole object, or the whole of its status. */
  async replace(
    view: View,
    namespace: string | undefined,
    name: string,
    { object: given, duplicateFields }: Submitted,
    options: WriteOptions,
  ): Promise<Written> {
    const object = withSoundMetadata(view.version.info, given);
    checkNamespace(namespace, object);
    if (object.metadata.name && object.metadata.name !== name) {
      throw badRequest(
        `the name of the object (${object.metadata.name}) does not match the name on the URL (${name})`,
      );
    }
    if (!object.metadata.resourceVersion && requiresResourceVersion(view)) {
      throw invalid({ group: view.type.group, kind: view.type.kind, name }, [
        {
          field: 'metadata.resourceVersion',
          type: 'FieldValueInvalid',
          message: 'Invalid value: 0x0: must be specified for an update',
        },
      ]);
    }
    return this.modify(view, namespace, name, options, () => object, duplicateFields);
  }

  /**
   * Changes one object by a pure function of what is stored: every update and patch comes through here.
   *
   * @param change answers the whole next object; it may change its argument
   */
  modify(
    view: View,
    namespace: string | undefined,
    name: string,
    options: WriteOptions,
    change: (live: ApiObject) => ApiObject,
    duplicateFields: readonly string[] = [],
  ): Promise<Written> {
    const { type } = view;
    const key = objectKey(namespace, name);
    return this.objects.locked(type.storage, key, async () => {
      const stored = this.find(view, namespace, name);
      const live = viewObject(view, stored);
      const asked = withSoundMetadata(view.version.info, change(structuredClone(live)));
      this.#checkPreconditions(view, live, asked);
      const decided = this.#decide(view, live, asked, duplicateFields, options);
      const next = this.#track(view, live, decided, options);
      return this.#save(view, stored, live, next, options);
    });
  }

  /** Server-side apply: creates the object where there is none. */
  apply(
    view: View,
    namespace: string | undefined,
    name: string,
    { object: given, duplicateFields }: Submitted,
    options: WriteOptions & { force: boolean },
  ): Promise<Written> {
    const { type } = view;
    const object = withSoundMetadata(view.version.info, given);
    checkNamespace(namespace, object);
    const key = objectKey(namespace, name);
    const now = rfc3339(this.clock.now());
    return this.objects.locked(type.storage, key, async () => {
      const stored = this.objects.cache(type.storage).get(key);
      const live = stored && viewObject(view, stored);
      if (live) this.#checkPreconditions(view, live, object);
      const applied = applyManaged(view, live, object, now, options);
      if (!stored || !live) {
        if (options.subresource) throw notFound(type, name);
        this.#admitNew(view, namespace, name);
        const submitted = { object: applied, duplicateFields };
        const admitted = this.#admitted(view, namespace, submitted, options);
        options.approve?.(admitted);
        const next = toStored(view, admitted);
        const created = options.dryRun
          ? unsaved(next)
          : await this.objects.put(type.storage, next, undefined);
        return { stored: created, created: true };
      }
      const decided = this.#decide(view, live, applied, duplicateFields, options);
      return this.#save(view, stored, live, decided, options);
    });
  }

  /** What an update comes to: identity kept, the other endpoint's part kept, checked, counted. */
  #decide(
    view: View,
    live: ApiObject,
    asked: ApiObject,
    duplicateFields: readonly string[],
    options: WriteOptions,
  ): ApiObject {
    const { type, version } = view;
    const identified = {
      ...asked,
      apiVersion: live.apiVersion,
      kind: live.kind,
      metadata: keepIdentity(live.metadata, asked.metadata),
    };
    const merged = keepOtherSubresource(version, live, identified, options.subresource);
    const admitted = admit(view, merged, live, duplicateFields, options);
    return nextGeneration(type, version, live, admitted);
  }

  #track(view: View, live: ApiObject | undefined, next: ApiObject, options: WriteOptions): ApiObject {
    return trackManager(view, live, next, rfc3339(this.clock.now()), options);
  }

  async #save(
    view: View,
    stored: StoredObject,
    live: ApiObject,
    next: ApiObject,
    { dryRun, approve }: WriteOptions,
  ): Promise<Written> {
    const { storage } = view.type;
    // An update that changes nothing writes nothing, and nobody is told.
    if (sameValue(live, next)) return { stored, created: false };
    approve?.(next);
    const object = toStored(view, next);
    if (dryRun)
      return { stored: storedObject(object, encodeObject(object), stored.revision), created: false };
    if (isReleased(object)) {
      // The last finalizer has gone from an object that is to be deleted: it goes within this very update.
      const gone = await this.objects.delete(storage, stored);
      return {
        stored: storedObject(object, encodeObject(object), gone.revision),
        created: false,
      };
    }
    return { stored: await this.objects.put(storage, object, stored), created: false };
  }

  #checkPreconditions({ type }: View, live: ApiObject, asked: ApiObject): void {
    const { uid, resourceVersion } = asked.metadata;
    const { name } = live.metadata;
    if (uid && uid !== live.metadata.uid) {
      const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`;
      throw conflict(type, name, why);
    }
    if (resourceVersion && resourceVersion !== '0' && resourceVersion !== live.metadata.resourceVersion) {
      throw conflict(type, name);
    }
  }

  /** Objects are only made of kinds, and in namespaces, that will go on existing. */
  #admitNew({ type }: View, namespace: string | undefined, name: string): void {
    if (type.terminating)
      throw methodNotAllowed('create not allowed while custom resource definition is terminating');
    if (namespace === undefined) return;
    const owner = this.objects.cache({ group: '', plural: 'namespaces' }).get(namespace);
    if (!owner) throw notFound({ group: '', plural: 'namespaces' }, namespace);
    if (!owner.deleting) return;
    const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
    throw forbidden(type, name, why, [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${namespace} is being terminated`,
        field: 'metadata.namespace',
      },
    ]);
  }
}

/** An object that a dry run would have created: it has no resourceVersion. */
function unsaved(object: ApiObject): StoredObject {
  const text = encodeObject(object);
  return { ...storedObject(object, text, 0), json: Buffer.from(text) };
}

/** Deleted, and nothing left to wait for. */
export function isReleased(object: ApiObject): boolean {
  const { deletionTimestamp, finalizers } = object.metadata;
  if (deletionTimestamp === undefined || (finalizers?.length ?? 0) > 0) return false;
  const spec = object['spec'] as { finalizers?: unknown[] } | undefined;
  return object.kind !== 'Namespace' || object.apiVersion !== 'v1' || (spec?.finalizers?.length ?? 0) === 0;
}

function checkNamespace(namespace: string | undefined, { metadata }: ApiObject): void {
  if (namespace !== undefined && metadata.namespace && metadata.namespace !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if (namespace === undefined && metadata.namespace) delete metadata.namespace;
}

/** Built-in kinds whose PUT must say what it replaces; custom resources always must. */
const conditionalOnly = new Set([
  'coordination.k8s.io/leases',
  'apiextensions.k8s.io/customresourcedefinitions',
  'admissionregistration.k8s.io/mutatingwebhookconfigurations',
  'admissionregistration.k8s.io/validatingwebhookconfigurations',
  '/serviceaccounts',
]);

function requiresResourceVersion({ type }: View): boolean {
  return type.custom || conditionalOnly.has(`${type.group}/${type.plural}`);
}

/** A copy of what is stored, for controllers inside the server. */
export function storedCopy(stored: StoredObject): ApiObject {
  return parseObject(stored);
}
