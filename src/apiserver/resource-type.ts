import type { ApiObject } from './api-object.ts';
import { asCoreEvent, asEventsEvent } from './event-versions.ts';
import type { StorageName } from './object-store.ts';
import type { ScalePaths } from './scale.ts';
import { apiVersionOf, builtinKinds, type KindInfo } from './schema/kinds.ts';

/** A column of `kubectl get`, told by a CRD. */
export interface PrinterColumn {
  name: string;
  type: string;
  format?: string;
  description?: string;
  priority?: number;
  jsonPath: string;
}

/** One version in which a kind can be read and written. */
export interface ServedVersion {
  info: KindInfo;
  apiVersion: string;
  /** Of custom resources. */
  columns?: readonly PrinterColumn[];
  /** Fields besides metadata's that field selectors may name. */
  selectableFields: readonly string[];
  /** Where the `scale` subresource of a custom resource finds its numbers. */
  scale?: ScalePaths;
  /** Sent as a Warning with every answer. */
  deprecation?: string;
  /** Set where more than the apiVersion differs from the stored version. */
  convert?: { fromStored(object: ApiObject): ApiObject; toStored(object: ApiObject): ApiObject };
}

/** A resource under one group, in all its versions: what requests are routed to. */
export interface ResourceType {
  group: string;
  plural: string;
  kind: string;
  namespaced: boolean;
  /** Defined by a CustomResourceDefinition: merge patches only, unconditional updates refused. */
  custom: boolean;
  /** Its definition is being deleted: what there is may go, nothing new comes. */
  terminating: boolean;
  /** Objects of this kind are kept; false for reviews, which are only answered. */
  stored: boolean;
  storage: StorageName;
  storedApiVersion: string;
  versions: ReadonlyMap<string, ServedVersion>;
}

/** The kinds that are served now: the built-in ones, and those that definitions add and take away. */
export class ResourceTypes {
  readonly #types = new Map<string, ResourceType>();
  readonly #retirements = new Map<ResourceType, AbortController>();
  #generation = 0;

  constructor() {
    for (const type of builtinTypes()) this.#types.set(`${type.group}/${type.plural}`, type);
  }

  /** Grows with every change: what was made from an older generation is out of date. */
  get generation(): number {
    return this.#generation;
  }

  find(group: string, plural: string): ResourceType | undefined {
    return this.#types.get(`${group}/${plural}`);
  }

  byKind(group: string, kind: string): ResourceType | undefined {
    return this.#types.values().find((type) => type.group === group && type.kind === kind);
  }

  all(): ResourceType[] {
    return [...this.#types.values()];
  }

  /** Kinds whose objects lie in storage under names of their own. */
  stored(): ResourceType[] {
    return this.all().filter(({ stored, storage, group }) => stored && storage.group === group);
  }

  set(type: ResourceType): void {
    const before = this.find(type.group, type.plural);
    this.#types.set(`${type.group}/${type.plural}`, type);
    this.#generation++;
    // Watchers of a kind that is being emptied want to see it go.
    if (type.terminating) this.#retirements.set(type, this.#retirementOf(before ?? type));
    else this.#retire(before);
  }

  remove(group: string, plural: string): void {
    const before = this.find(group, plural);
    if (!this.#types.delete(`${group}/${plural}`)) return;
    this.#generation++;
    this.#retire(before);
  }

  /** Aborts when the kind is no longer served as `type` says: its watches end, and clients look again. */
  retirement(type: ResourceType): AbortSignal {
    return this.#retirementOf(type).signal;
  }

  #retirementOf(type: ResourceType): AbortController {
    let controller = this.#retirements.get(type);
    if (!controller) this.#retirements.set(type, (controller = new AbortController()));
    return controller;
  }

  #retire(type: ResourceType | undefined): void {
    if (!type) return;
    this.#retirements.get(type)?.abort();
    this.#retirements.delete(type);
  }
}

function builtinTypes(): ResourceType[] {
  const types = new Map<string, ResourceType>();
  for (const info of builtinKinds()) {
    // TokenRequest and the like have no path of their own: a subresource takes them.
    if (info.verbs.length === 0) continue;
    const { group, plural, kind, namespaced } = info;
    const isEvent = group === 'events.k8s.io';
    const apiVersion = apiVersionOf(info);
    types.set(`${group}/${plural}`, {
      group,
      plural,
      kind,
      namespaced,
      custom: false,
      terminating: false,
      stored: info.verbs.includes('get'),
      storage: isEvent ? { group: '', plural: 'events' } : { group, plural },
      storedApiVersion: isEvent ? 'v1' : apiVersion,
      versions: new Map([
        [
          info.version,
          {
            info,
            apiVersion,
            selectableFields: builtinSelectable[`${group}/${plural}`] ?? [],
            ...(isEvent ? { convert: { fromStored: asEventsEvent, toStored: asCoreEvent } } : {}),
          },
        ],
      ]),
    });
  }
  return [...types.values()];
}

const eventFields = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'];

/** The field labels that upstream's storages know. */
const builtinSelectable: Readonly<Record<string, readonly string[]>> = {
  '/events': [
    ...eventFields.map((field) => `involvedObject.${field}`),
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
  'events.k8s.io/events': [
    ...eventFields.map((field) => `regarding.${field}`),
    'reason',
    'reportingController',
    'type',
  ],
  '/namespaces': ['status.phase'],
  '/secrets': ['type'],
  '/pods': [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.nominatedNodeName',
  ],
  '/nodes': ['spec.unschedulable'],
  'apps/replicasets': ['status.replicas'],
};
